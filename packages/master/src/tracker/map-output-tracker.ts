/**
 * An executor's knowledge of where map output is: what it asked the driver for, kept until the
 * driver reports a loss (a higher epoch) or an output turns out to be missing.
 */
import type { BlockManagerId } from "@bm/block";
import {
  type RpcAddress,
  type RpcEndpointRef,
  type RpcEnv,
  RpcError,
  type RpcMessage,
} from "@bm/rpc";
import { MasterError } from "../master-error.ts";
import { masterErrors } from "../protocol/master-errors.ts";
import {
  GetMapAndMergeResultStatuses,
  GetMapOutputStatuses,
  GetShuffleMergerLocations,
  RegisterMapOutput,
  RegisterShuffle,
  type StatusesAtEpoch,
  UnregisterMapOutput,
} from "../protocol/tracker-messages.ts";
import type { MapOutputRegistry, MapSizesOptions } from "./map-output-registry.ts";
import { MAP_OUTPUT_TRACKER_ENDPOINT_NAME } from "./map-output-tracker-master-endpoint.ts";
import type { MapStatus } from "./map-status.ts";
import type { MergeStatus } from "./merge-status.ts";
import { deserializeMergeStatuses, deserializeStatuses } from "./serialized-statuses.ts";
import { type BlocksAtLocation, blocksByLocation, type ShuffleOutputs } from "./shuffle-outputs.ts";
import { publishedBytes, type StatusesBroadcast } from "./statuses-broadcast.ts";

/** What {@link MapOutputTracker} takes. */
export interface MapOutputTrackerOptions {
  /** The driver's tracker. */
  readonly tracker: RpcEndpointRef;
  /** Shuffles whose statuses are kept; the one not used for longest goes first. Default: 1,000. */
  readonly cachedShufflesMax?: number | undefined;
}

const CACHED_SHUFFLES_MAX_DEFAULT = 1000;

/** An answer that is on its way, as an object so that two of them are told apart. */
interface Fetch {
  readonly outputs: Promise<ShuffleOutputs>;
}

/** See the file comment. */
export class MapOutputTracker implements MapOutputRegistry {
  readonly #tracker: RpcEndpointRef;
  readonly #cachedShufflesMax: number;
  /** In the order of their last use. */
  readonly #cached = new Map<number, ShuffleOutputs>();
  readonly #fetching = new Map<number, Fetch>();
  #broadcast: StatusesBroadcast | null = null;
  #epoch = 0;

  constructor(options: MapOutputTrackerOptions) {
    this.#tracker = options.tracker;
    this.#cachedShufflesMax = options.cachedShufflesMax ?? CACHED_SHUFFLES_MAX_DEFAULT;
  }

  /** For the tracker of the driver at `address`. */
  static at(env: RpcEnv, address: RpcAddress | null): MapOutputTracker {
    return new MapOutputTracker({
      tracker: env.endpointRef(address, MAP_OUTPUT_TRACKER_ENDPOINT_NAME),
    });
  }

  /** Reads statuses with it that the driver has broadcast. */
  useBroadcast(broadcast: StatusesBroadcast): void {
    this.#broadcast = broadcast;
  }

  /** The highest epoch seen so far. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Takes note of the epoch that came with a task; forgets everything when it is a higher one. */
  updateEpoch(epoch: number): void {
    if (epoch <= this.#epoch) return;
    this.#epoch = epoch;
    this.#forgetAll();
  }

  async registerShuffle(shuffleId: number, numMaps: number): Promise<void> {
    await this.#ask(RegisterShuffle, { shuffleId, numMaps });
  }

  async registerMapOutput(shuffleId: number, mapIndex: number, status: MapStatus): Promise<void> {
    await this.#ask(RegisterMapOutput, { shuffleId, mapIndex, status });
  }

  async unregisterMapOutput(
    shuffleId: number,
    mapIndex: number,
    location: BlockManagerId,
  ): Promise<void> {
    await this.#ask(UnregisterMapOutput, { shuffleId, mapIndex, location });
    this.unregisterShuffle(shuffleId);
  }

  /**
   * What was merged of a shuffle, by reduce partition, as it is now; not kept.
   * @throws MasterError SHUFFLE_UNKNOWN (rejects).
   */
  async getMergeResults(shuffleId: number): Promise<ReadonlyMap<number, MergeStatus>> {
    const { serializedMergeStatuses } = await this.#ask(GetMapAndMergeResultStatuses, shuffleId);
    const bytes = await this.#published(shuffleId, serializedMergeStatuses);
    return deserializeMergeStatuses(shuffleId, bytes);
  }

  /** Which shuffle services merge a shuffle. @throws MasterError SHUFFLE_UNKNOWN (rejects). */
  getShufflePushMergerLocations(shuffleId: number): Promise<readonly BlockManagerId[]> {
    return this.#ask(GetShuffleMergerLocations, shuffleId);
  }

  unregisterShuffle(shuffleId: number): void {
    this.#cached.delete(shuffleId);
    this.#fetching.delete(shuffleId);
  }

  async getMapSizesByExecutorId(
    shuffleId: number,
    startPartition: number,
    endPartition: number,
    options: MapSizesOptions = {},
  ): Promise<readonly BlocksAtLocation[]> {
    const { startMapIndex, endMapIndex, signal } = options;
    const outputs = await abortable(this.#outputs(shuffleId), signal);
    try {
      const range = { startPartition, endPartition, startMapIndex, endMapIndex };
      return blocksByLocation(outputs, range);
    } catch (error) {
      // What is missing now may be there when the stage is tried again.
      if (error instanceof MasterError && error.code === "METADATA_FETCH_FAILED") this.#forgetAll();
      throw error;
    }
  }

  /** From the cache, or from the driver; whoever asks meanwhile waits for the same answer. */
  #outputs(shuffleId: number): Promise<ShuffleOutputs> {
    const cached = this.#cached.get(shuffleId);
    if (cached !== undefined) {
      this.#cache(cached);
      return Promise.resolve(cached);
    }
    const fetch = this.#fetching.get(shuffleId) ?? this.#fetch(shuffleId);
    return fetch.outputs;
  }

  #fetch(shuffleId: number): Fetch {
    const fetch: Fetch = {
      outputs: this.#ask(GetMapOutputStatuses, shuffleId)
        .then((answer) => this.#take(shuffleId, fetch, answer))
        .catch((error: unknown) => {
          this.#end(shuffleId, fetch);
          throw error;
        }),
    };
    this.#fetching.set(shuffleId, fetch);
    return fetch;
  }

  async #take(
    shuffleId: number,
    fetch: Fetch,
    { epoch, serialized }: StatusesAtEpoch,
  ): Promise<ShuffleOutputs> {
    const outputs = await readable(shuffleId, await this.#published(shuffleId, serialized));
    const isWanted = this.#end(shuffleId, fetch);
    this.updateEpoch(epoch);
    // An answer from before a loss, or of a shuffle that was forgotten meanwhile, is used once.
    if (isWanted && epoch >= this.#epoch) this.#cache(outputs);
    return outputs;
  }

  /** @throws MasterError METADATA_FETCH_FAILED - a broadcast that is gone: the statuses have changed. */
  async #published(shuffleId: number, answer: Uint8Array): Promise<Uint8Array> {
    try {
      return await publishedBytes(answer, this.#broadcast);
    } catch (cause) {
      const text = `the broadcast statuses of shuffle ${shuffleId} cannot be read`;
      throw new MasterError("METADATA_FETCH_FAILED", text, { cause, shuffleId, partition: -1 });
    }
  }

  /** False when the fetch was given up, or another one took its place. */
  #end(shuffleId: number, fetch: Fetch): boolean {
    if (this.#fetching.get(shuffleId) !== fetch) return false;
    return this.#fetching.delete(shuffleId);
  }

  #cache(outputs: ShuffleOutputs): void {
    this.#cached.delete(outputs.shuffleId);
    this.#cached.set(outputs.shuffleId, outputs);
    if (this.#cached.size <= this.#cachedShufflesMax) return;
    for (const oldest of this.#cached.keys()) {
      this.#cached.delete(oldest);
      return;
    }
  }

  #forgetAll(): void {
    this.#cached.clear();
    this.#fetching.clear();
  }

  #ask<Request, Reply>(message: RpcMessage<Request, Reply>, request: Request): Promise<Reply> {
    return masterErrors(this.#tracker.ask(message, request));
  }
}

async function readable(shuffleId: number, serialized: Uint8Array): Promise<ShuffleOutputs> {
  try {
    return await deserializeStatuses(shuffleId, serialized);
  } catch (cause) {
    const text = `the statuses of shuffle ${shuffleId} cannot be read`;
    throw new MasterError("METADATA_FETCH_FAILED", text, { cause, shuffleId, partition: -1 });
  }
}

/** Stops waiting for what others may wait for, too. @throws RpcError ABORTED (rejects). */
function abortable<Value>(
  promise: Promise<Value>,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void =>
      reject(new RpcError("ABORTED", "given up", { cause: signal.reason }));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
