import type { BlockManagerId } from "@bm/block";
import type { CompressionCodec } from "@bm/codec";
import { type MapOutputRegistry, MasterError } from "@bm/master";
import type { BlockDataManager, BlockFetchClient, IndexShuffleBlockResolver } from "@bm/shuffle";
import type { Platform } from "@bm/transport";
import { StorageError } from "../storage-error.ts";
import type { ShuffleHandle, ShuffleIdentity } from "./shuffle-handle.ts";
import { ShuffleReader } from "./shuffle-reader.ts";
import { SortShuffleWriter } from "./sort-shuffle-writer.ts";

/** What a {@link ShuffleManager} works with, mostly parts of one block manager. */
export interface ShuffleManagerOptions {
  /** Who we are for others; asked anew each time, because registration adds the topology. */
  readonly localId: () => BlockManagerId;
  readonly platform: Pick<Platform, "clock" | "files" | "random">;
  readonly resolver: IndexShuffleBlockResolver;
  readonly tracker: MapOutputRegistry;
  readonly blockManager: Pick<BlockDataManager, "getLocalBlockData">;
  readonly client: BlockFetchClient;
  /** Null leaves shuffle data uncompressed (`spark.shuffle.compress`). */
  readonly codec: CompressionCodec | null;
  /** Bytes of records at which a writer or reader spills. Default: 64 MiB. */
  readonly memoryBytesMax?: number | undefined;
  /** `spark.reducer.maxSizeInFlight`. Default: 48 MiB. */
  readonly maxBytesInFlight?: number | undefined;
}

interface Registered {
  /** Null while only output that was brought here is known. */
  numMaps: number | null;
  /** Map ids whose output lies in our directories. */
  readonly mapIds: Set<bigint>;
}

/** Makes the writers and readers of one process, and cleans up after its shuffles. */
export class ShuffleManager {
  readonly #options: ShuffleManagerOptions;
  readonly #shuffles = new Map<number, Registered>();

  constructor(options: ShuffleManagerOptions) {
    this.#options = options;
  }

  /**
   * Makes a shuffle known to this process and to the driver. Registering it again is harmless when
   * it has as many maps. @throws StorageError OPTION_INVALID; MasterError (rejects).
   */
  async registerShuffle({ shuffleId, numMaps }: ShuffleIdentity): Promise<void> {
    const shuffle = this.#shuffle(shuffleId);
    if (shuffle.numMaps === numMaps) return;
    if (shuffle.numMaps !== null) {
      const text = `shuffle ${shuffleId} has ${shuffle.numMaps} maps, not ${numMaps}`;
      throw new StorageError("OPTION_INVALID", text);
    }
    shuffle.numMaps = numMaps;
    try {
      await this.#options.tracker.registerShuffle(shuffleId, numMaps);
    } catch (error) {
      // Whoever comes second finds it registered, which is all that is wanted.
      if (error instanceof MasterError && error.code === "SHUFFLE_REGISTERED_TWICE") return;
      shuffle.numMaps = null;
      throw error;
    }
  }

  /** Takes a map output into our care that another process brought. */
  adopt(shuffleId: number, mapId: bigint): void {
    this.#shuffle(shuffleId).mapIds.add(mapId);
  }

  /** The writer of one map task. `mapId` is unique among all attempts of all tasks. */
  getWriter<Key, Value, Combined>(
    handle: ShuffleHandle<Key, Value, Combined>,
    mapId: bigint,
  ): SortShuffleWriter<Key, Value, Combined> {
    const { localId, platform, resolver, codec, memoryBytesMax } = this.#options;
    const shuffle = this.#shuffle(handle.shuffleId);
    shuffle.numMaps ??= handle.numMaps;
    shuffle.mapIds.add(mapId);
    return new SortShuffleWriter({
      handle,
      mapId,
      location: localId(),
      resolver,
      files: platform.files,
      clock: platform.clock,
      codec,
      memoryBytesMax,
    });
  }

  /** A reader of the partitions from `startPartition` to before `endPartition`. */
  getReader<Key, Value, Combined>(
    handle: ShuffleHandle<Key, Value, Combined>,
    startPartition: number,
    endPartition: number,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): ShuffleReader<Key, Value, Combined> {
    const { localId, platform, tracker, blockManager, client, codec } = this.#options;
    const { files, random, clock } = platform;
    return new ShuffleReader({
      handle,
      startPartition,
      endPartition,
      localId: localId(),
      tracker,
      blockManager,
      client,
      random,
      clock,
      files,
      codec,
      createSpillPath: () => this.#createSpillPath(handle.shuffleId),
      memoryBytesMax: this.#options.memoryBytesMax,
      maxBytesInFlight: this.#options.maxBytesInFlight,
      signal: options.signal,
    });
  }

  /** Deletes the map outputs of a shuffle from our directories. True when it was known here. */
  async unregisterShuffle(shuffleId: number): Promise<boolean> {
    const shuffle = this.#shuffles.get(shuffleId);
    this.#options.tracker.unregisterShuffle(shuffleId);
    if (shuffle === undefined) return false;
    this.#shuffles.delete(shuffleId);
    const { resolver } = this.#options;
    await Promise.all(
      [...shuffle.mapIds].map((mapId) => resolver.removeDataByMap(shuffleId, mapId)),
    );
    return true;
  }

  /** Beside some map output, for each spill another one, so that all directories get their share. */
  #createSpillPath(shuffleId: number): Promise<string> {
    const { resolver, platform } = this.#options;
    const anyMapId = BigInt(platform.random.below(2 ** 31));
    return resolver.createTempFile(resolver.getDataFile(shuffleId, anyMapId));
  }

  #shuffle(shuffleId: number): Registered {
    let shuffle = this.#shuffles.get(shuffleId);
    if (shuffle === undefined) {
      shuffle = { numMaps: null, mapIds: new Set() };
      this.#shuffles.set(shuffleId, shuffle);
    }
    return shuffle;
  }
}
