/**
 * One attempt at pushing blocks to a merger over one connection: an upload per block, all sent
 * without waiting, each answered with a code.
 *
 *     UploadStream(PushBlockStream, bytes) x n   ->
 *                                                <-  BlockPushReturnCode, one for each
 */
import { type ShufflePushBlockId, tryParseBlockId } from "@bm/block";
import { type ManagedBuffer, type TransportClient, TransportError } from "@bm/transport";
import { readAnswer } from "../client/ask.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockPushingListener } from "./block-pushing-listener.ts";

/** What {@link OneForOneBlockPusher} needs. */
export interface OneForOneBlockPusherOptions {
  readonly client: TransportClient;
  readonly appId: string;
  /** -1 when the application has no attempts. */
  readonly appAttemptId: number;
  /** In the order in which they are sent; names are `shufflePush_...`. */
  readonly blockIds: readonly string[];
  /** The bytes of a block; released once sent. */
  readonly bodyOf: (blockId: string) => ManagedBuffer;
  readonly listener: BlockPushingListener;
}

/** See the file comment. Tells the listener about each block exactly once. */
export class OneForOneBlockPusher {
  readonly #options: OneForOneBlockPusherOptions;
  readonly #ids: readonly ShufflePushBlockId[];
  readonly #isSettled: boolean[];

  /** @throws ShuffleError BLOCK_IDS_INVALID - none, or a name of no block to push. */
  constructor(options: OneForOneBlockPusherOptions) {
    this.#options = options;
    this.#ids = options.blockIds.map(parsePushId);
    if (this.#ids.length === 0) throw new ShuffleError("BLOCK_IDS_INVALID", "no blocks to push");
    this.#isSettled = this.#ids.map(() => false);
  }

  /** Sends every block. Call once. Failures go to the listener, never to the caller. */
  start(): void {
    for (const [index, id] of this.#ids.entries()) {
      // A merger that says stop at once spares us the rest.
      if (this.#isSettled[index] === false) this.#push(index, id);
    }
  }

  #push(
    index: number,
    { mapIndex, name, reduceId, shuffleId, shuffleMergeId }: ShufflePushBlockId,
  ) {
    const { appAttemptId, appId, bodyOf, client } = this.#options;
    const header = encodeBlockTransferMessage({
      type: "PushBlockStream",
      appId,
      appAttemptId,
      shuffleId,
      shuffleMergeId,
      mapIndex,
      reduceId,
      index,
    });
    client.uploadStreamWith(header, bodyOf(name), {
      onSuccess: (response) => this.#answered(index, response.view),
      onFailure: (error) => this.#fail(index, error),
    });
  }

  #answered(index: number, response: Uint8Array): void {
    try {
      const { failureBlockId, returnCode } = readAnswer(response, "BlockPushReturnCode");
      if (returnCode !== "SUCCESS") throw refused(failureBlockId, returnCode);
    } catch (error) {
      this.#fail(index, error as Error);
      return;
    }
    const blockId = this.#settle(index);
    if (blockId !== null) this.#options.listener.onBlockPushSuccess(blockId);
  }

  /** After some refusals nothing behind this block will be taken either. */
  #fail(index: number, error: Error): void {
    const end = endsPushing(error) ? this.#ids.length : index + 1;
    for (let at = index; at < end; at += 1) {
      const blockId = this.#settle(at);
      if (blockId !== null) this.#options.listener.onBlockPushFailure(blockId, error);
    }
  }

  #settle(index: number): string | null {
    if (this.#isSettled[index] !== false) return null;
    this.#isSettled[index] = true;
    return this.#ids[index]?.name ?? null;
  }
}

/**
 * Whether pushing more blocks to the same merger is in vain: it cannot be reached, the merge is over,
 * or the blocks are of an older attempt. A collision concerns its own block only.
 */
export function endsPushing(error: unknown): boolean {
  if (error instanceof TransportError) return error.code === "CONNECT_FAILED";
  if (!(error instanceof ShuffleError)) return false;
  const { pushReturnCode } = error;
  return pushReturnCode !== null && pushReturnCode !== "BLOCK_APPEND_COLLISION_DETECTED";
}

const REASONS = {
  TOO_LATE_BLOCK_PUSH: "is received after merged shuffle is finalized",
  BLOCK_APPEND_COLLISION_DETECTED: "experienced merge collision on the server side",
  STALE_BLOCK_PUSH: "is a stale block push from an indeterminate stage retry",
  TOO_OLD_ATTEMPT_PUSH: "is from an older app attempt",
} as const;

function refused(blockId: string, pushReturnCode: keyof typeof REASONS): ShuffleError {
  const text = `Block ${blockId} ${REASONS[pushReturnCode]}`;
  return new ShuffleError("PUSH_REFUSED", text, { pushReturnCode });
}

function parsePushId(name: string): ShufflePushBlockId {
  const id = tryParseBlockId(name);
  if (id?.kind === "shufflePush") return id;
  throw new ShuffleError("BLOCK_IDS_INVALID", `Unexpected shuffle push block id format: ${name}`);
}
