/**
 * Pushes the partitions of a map output to mergers, so that reducers find many small blocks as few large
 * ones. A push is an attempt: what a merger does not get, or gets too late, is read from the map output.
 *
 *     index -> requests, in random order -> as many under way as the limits allow -> told block by block
 *
 * A merger that cannot be reached is left alone. When one says that the merging is over, or that the
 * blocks are of an older attempt, the others would say so too: nothing more is pushed.
 */
import type { BlockManagerId } from "@bm/block";
import {
  BytesManagedBuffer,
  type Files,
  type Logger,
  type ManagedBuffer,
  type Random,
  type RequestOptions,
  silentLogger,
  TransportError,
  type TransportErrorCode,
} from "@bm/transport";
import { shuffled } from "../fetch/fetch-requests.ts";
import { InFlight } from "../fetch/in-flight.ts";
import { limit } from "../fetch/limit.ts";
import { ShuffleIndexFile } from "../files/shuffle-index-file.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { BlockPushingListener } from "./block-pushing-listener.ts";
import { endsPushing } from "./one-for-one-block-pusher.ts";
import {
  type PushedMapOutput,
  type PushRequest,
  type PushRequestLimits,
  pushRequests,
} from "./push-requests.ts";

/** The part of a shuffle client that pushes. */
export interface PushClient {
  /** See `ExternalShuffleClient.pushBlocks`. */
  pushBlocks(
    host: string,
    port: number,
    blocks: ReadonlyMap<string, ManagedBuffer>,
    listener: BlockPushingListener,
    options?: Pick<RequestOptions, "signal">,
  ): Promise<void>;
}

/** Options of {@link ShuffleBlockPusher}. Limits are those of one map output. */
export interface ShuffleBlockPusherOptions {
  readonly client: PushClient;
  readonly files: Files;
  readonly random: Random;
  /** `spark.shuffle.push.maxBlockSizeToPush`: larger blocks are read well as they are. Default: 1 MiB. */
  readonly maxBlockSizeToPush?: number | undefined;
  /** `spark.shuffle.push.maxBlockBatchSize`: bytes that are read and pushed together. Default: 3 MiB. */
  readonly maxBlockBatchSize?: number | undefined;
  /** `spark.reducer.maxSizeInFlight`. Default: 48 MiB. */
  readonly maxBytesInFlight?: number | undefined;
  /** `spark.reducer.maxReqsInFlight`. Default: no limit. */
  readonly maxReqsInFlight?: number | undefined;
  /** `spark.reducer.maxBlocksInFlightPerAddress`. Default: no limit. */
  readonly maxBlocksInFlightPerAddress?: number | undefined;
  readonly logger?: Logger | undefined;
}

/** A map output in its files. */
export interface MapOutputToPush extends PushedMapOutput {
  readonly data: string;
  readonly index: string;
}

/** What became of the blocks of a map output. */
export interface PushOutcome {
  /** Merged, now or by an earlier push. */
  readonly pushed: number;
  /** Not taken by their merger, or lost with the connection. */
  readonly failed: number;
  /** Not tried, because of what others were told. */
  readonly dropped: number;
  /** What ended the pushing early; null when every block was tried or its merger is out of reach. */
  readonly stoppedBy: Error | null;
}

const MIB = 1024 * 1024;

/** See the file comment. */
export class ShuffleBlockPusher {
  readonly #options: ShuffleBlockPusherOptions;
  readonly #cuts: PushRequestLimits;

  /** @throws ShuffleError OPTION_INVALID for a limit below 1. */
  constructor(options: ShuffleBlockPusherOptions) {
    this.#options = options;
    this.#cuts = {
      blockBytesMax: limit(options.maxBlockSizeToPush, MIB),
      requestBytesMax: limit(options.maxBlockBatchSize, 3 * MIB),
      blocksMax: limit(options.maxBlocksInFlightPerAddress, Number.POSITIVE_INFINITY),
    };
    limit(options.maxBytesInFlight, MIB);
    limit(options.maxReqsInFlight, 1);
  }

  /**
   * Pushes a map output; resolves when nothing is under way any more, whatever became of it. The data
   * file must stay until then.
   * @throws ShuffleError OPTION_INVALID without mergers, INDEX_INVALID; TransportError FILE_FAILED for
   *   the index file (rejects).
   */
  async push(
    output: MapOutputToPush,
    { signal }: Pick<RequestOptions, "signal"> = {},
  ): Promise<PushOutcome> {
    if (output.mergers.length === 0) throw new ShuffleError("OPTION_INVALID", "no mergers");
    const index = await ShuffleIndexFile.read(this.#options.files, output.index);
    const requests = shuffled(pushRequests(output, index, this.#cuts), this.#options.random);
    return new MapOutputPush(this.#options, output.data, requests, signal).run();
  }
}

/** The push of one map output. */
class MapOutputPush {
  readonly #options: ShuffleBlockPusherOptions;
  readonly #dataFile: string;
  readonly #waiting: PushRequest[];
  readonly #signal: AbortSignal | undefined;
  readonly #inFlight: InFlight;
  readonly #running = new Set<Promise<void>>();
  readonly #count = { pushed: 0, failed: 0, dropped: 0 };
  #stoppedBy: Error | null = null;

  constructor(
    options: ShuffleBlockPusherOptions,
    dataFile: string,
    requests: PushRequest[],
    signal: AbortSignal | undefined,
  ) {
    this.#options = options;
    this.#dataFile = dataFile;
    this.#waiting = requests;
    this.#signal = signal;
    this.#inFlight = new InFlight({
      bytesMax: options.maxBytesInFlight ?? 48 * MIB,
      requestsMax: options.maxReqsInFlight ?? Number.POSITIVE_INFINITY,
      blocksPerAddressMax: options.maxBlocksInFlightPerAddress ?? Number.POSITIVE_INFINITY,
      memory: null,
    });
  }

  async run(): Promise<PushOutcome> {
    const onAbort = (): void => this.#stop(aborted(this.#signal?.reason));
    this.#signal?.addEventListener("abort", onAbort, { once: true });
    if (this.#signal?.aborted) onAbort();
    this.#send();
    // Whatever ends may have begun more.
    while (this.#running.size > 0) await Promise.race(this.#running);
    this.#signal?.removeEventListener("abort", onAbort);
    return { ...this.#count, stoppedBy: this.#stoppedBy };
  }

  #send(): void {
    for (const request of this.#inFlight.takeSendable(this.#waiting)) {
      const running: Promise<void> = this.#push(request).finally(() => {
        this.#running.delete(running);
      });
      this.#running.add(running);
    }
  }

  /** Never rejects. */
  async #push(request: PushRequest): Promise<void> {
    const { host, port } = request.location;
    const untold = new Map(request.blocks.map((block) => [block.blockId.name, block]));
    const told = (blockId: string, error: Error | null): void => {
      const block = untold.get(blockId);
      if (block === undefined || !untold.delete(blockId)) return;
      this.#count[error === null ? "pushed" : "failed"] += 1;
      this.#inFlight.blockTaken(request, block.size);
      if (untold.size === 0) this.#inFlight.requestTaken();
      if (error !== null) this.#learn(request.location, error);
      this.#send();
    };
    try {
      const blocks = await this.#read(request);
      await this.#options.client.pushBlocks(
        host,
        port,
        blocks,
        {
          onBlockPushSuccess: (blockId) => told(blockId, null),
          onBlockPushFailure: (blockId, error) => told(blockId, error),
        },
        { signal: this.#signal },
      );
    } catch (error) {
      // The file is gone, or the client was closed: it will not be better for the others.
      this.#stop(error as Error);
      for (const blockId of untold.keys()) told(blockId, error as Error);
    }
  }

  /** Blocks in random order, so that the maps of a stage do not meet at the same partition. */
  async #read({ blocks, offset, size }: PushRequest): Promise<Map<string, ManagedBuffer>> {
    const bytes = Buffer.allocUnsafe(size);
    const file = await this.#options.files.open(this.#dataFile, "read");
    try {
      const count = await file.read(bytes, offset);
      if (count < size) {
        const text = `${this.#dataFile} ends at ${offset + count} instead of ${offset + size}`;
        throw new ShuffleError("INDEX_INVALID", text);
      }
    } finally {
      await file.close();
    }
    return new Map(
      shuffled(blocks, this.#options.random).map((block) => [
        block.blockId.name,
        new BytesManagedBuffer(bytes.subarray(block.offset, block.offset + block.size)),
      ]),
    );
  }

  /** What a failure says of the requests that wait. */
  #learn(location: BlockManagerId, error: Error): void {
    if (isUnreachable(error)) this.#drop(({ location: { key } }) => key === location.key, error);
    else if (endsPushing(error)) this.#stop(error);
  }

  #stop(error: Error): void {
    this.#stoppedBy ??= error;
    this.#drop(() => true, error);
  }

  #drop(isDropped: (request: PushRequest) => boolean, error: Error): void {
    const kept = this.#waiting.filter((request) => !isDropped(request));
    const dropped = this.#waiting.filter(isDropped);
    if (dropped.length === 0) return;
    const blocks = dropped.reduce((sum, request) => sum + request.blocks.length, 0);
    const { logger = silentLogger } = this.#options;
    logger.info(`${blocks} blocks of ${this.#dataFile} are not pushed: ${error.message}`);
    this.#count.dropped += blocks;
    this.#waiting.length = 0;
    for (const request of kept) this.#waiting.push(request);
  }
}

const UNREACHABLE_CODES: ReadonlySet<TransportErrorCode> = new Set([
  "CONNECT_FAILED",
  "CONNECT_TIMEOUT",
  "CONNECT_FAST_FAILED",
]);

function isUnreachable(error: Error): boolean {
  return error instanceof TransportError && UNREACHABLE_CODES.has(error.code);
}

function aborted(reason: unknown): ShuffleError {
  return new ShuffleError("FETCH_ABORTED", "the push was given up", { cause: reason });
}
