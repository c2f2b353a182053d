import { BytesManagedBuffer, type ManagedBuffer, type TransportClient } from "@bm/transport";
import type { BlockFetches } from "../fetch/block-fetches.ts";
import type { BlockPushingListener } from "./block-pushing-listener.ts";
import { LentBody } from "./lent-body.ts";
import { endsPushing, OneForOneBlockPusher } from "./one-for-one-block-pusher.ts";

/** What is pushed, where, and who is told. */
export interface BlocksToPush {
  readonly connect: (signal: AbortSignal) => Promise<TransportClient>;
  readonly appId: string;
  readonly appAttemptId: number;
  /** By name, handed over. */
  readonly blocks: ReadonlyMap<string, ManagedBuffer>;
  readonly listener: BlockPushingListener;
  readonly signal: AbortSignal | undefined;
}

/** What a push brings back. */
const NOTHING = new BytesManagedBuffer(new Uint8Array(0));

/**
 * Pushes blocks over as many connections as it takes; what broke off is pushed again, and a merger
 * recognises what it has. Each block is told exactly once and each buffer is released.
 * @throws what `check` throws before anything was sent, ShuffleError BLOCK_IDS_INVALID (rejects).
 */
export async function pushWithRetries(
  transfers: BlockFetches,
  { appAttemptId, appId, blocks, connect, listener, signal }: BlocksToPush,
  check: () => unknown,
): Promise<void> {
  const bodies = new Map([...blocks].map(([blockId, body]) => [blockId, new LentBody(body)]));
  const bodyOf = (blockId: string): ManagedBuffer => bodies.get(blockId)?.lend() ?? NOTHING;
  try {
    check();
    await transfers.transfer({
      blockIds: [...blocks.keys()],
      signal,
      mayRetry: (error) => !endsPushing(error),
      start: async (blockIds, attempt, attemptSignal) => {
        const client = await connect(attemptSignal);
        const told: BlockPushingListener = {
          onBlockPushSuccess: (blockId) => attempt.onBlockFetchSuccess(blockId, NOTHING),
          onBlockPushFailure: (blockId, error) => attempt.onBlockFetchFailure(blockId, error),
        };
        const push = { client, appId, appAttemptId, blockIds, bodyOf, listener: told };
        new OneForOneBlockPusher(push).start();
      },
      listener: {
        onBlockFetchSuccess: (blockId) => listener.onBlockPushSuccess(blockId),
        onBlockFetchFailure: (blockId, error) => listener.onBlockPushFailure(blockId, error),
      },
    });
  } finally {
    for (const body of bodies.values()) body.release();
  }
}
