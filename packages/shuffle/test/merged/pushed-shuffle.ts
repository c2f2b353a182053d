/** A shuffle whose map outputs lie on disk and were pushed to a real service. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BlockManagerId, localFilePath, shuffleBlockId, shuffleMergedBlockId } from "@bm/block";
import { type Files, nodePlatform, type Random, TransportConf } from "@bm/transport";
import {
  type BlocksByLocation,
  ExternalShuffleClient,
  type ExternalShuffleService,
  type MergedMaps,
  type MergeStatuses,
  type PushMergedPartition,
  roaringBitmapValues,
  ShuffleBlockPusher,
  ShuffleIndexFile,
} from "../../src/index.ts";
import { afterwards, startService, temporaryDirectory } from "../service/service-under-test.ts";

export const APP = "application_1700000000000_0001";
export const MAPS = 6;
export const PARTITIONS = 5;
const HOST = "127.0.0.1";
const MERGE_DIR = "merge_manager_1";
const platform = nodePlatform();
export const files: Files = platform.files;
export const random: Random = platform.random;

/** The block of a map says so again and again; some are empty. */
export function contentOf(mapIndex: number, reduceId: number): string {
  return `<${mapIndex} of ${reduceId}>`.repeat((mapIndex * 7 + reduceId * 3) % 5);
}

/** What all maps together have for a partition, once each block has been found. */
export function wantedOf(reduceId: number): string[] {
  return Array.from({ length: MAPS }, (_, map) => contentOf(map, reduceId))
    .filter((content) => content !== "")
    .toSorted();
}

export class PushedShuffle {
  readonly service: ExternalShuffleService;
  readonly client: ExternalShuffleClient;
  readonly root: string;

  private constructor(
    service: ExternalShuffleService,
    client: ExternalShuffleClient,
    root: string,
  ) {
    this.service = service;
    this.client = client;
    this.root = root;
  }

  /** A service with an executor whose map outputs are written, not pushed. */
  static async start(): Promise<PushedShuffle> {
    const root = await temporaryDirectory();
    const conf = {
      "spark.shuffle.push.server.mergedShuffleFileManagerImpl":
        "org.apache.spark.network.shuffle.RemoteBlockPushResolver",
      "spark.shuffle.push.server.minChunkSizeInMergedShuffleFile": "40",
    };
    const service = await startService({ conf, roots: [root] });
    const client = new ExternalShuffleClient({
      conf: new TransportConf("shuffle", { "spark.shuffle.io.maxRetries": "0" }),
      appId: APP,
      appAttemptId: 1,
    });
    afterwards(() => client.close());
    const shuffle = new PushedShuffle(service, client, root);
    for (let map = 0; map < MAPS; map += 1) await shuffle.#write(map);
    for (let sub = 0; sub < 64; sub += 1) {
      const name = sub.toString(16).padStart(2, "0");
      await mkdir(join(root, MERGE_DIR, name), { recursive: true });
    }
    const shuffleManager = `sort:{"mergeDir":"${MERGE_DIR}","attemptId":"1"}`;
    const info = { localDirs: [shuffle.localDir], subDirsPerLocalDir: 64, shuffleManager };
    await client.registerWithShuffleServer(HOST, service.port, "1", info);
    return shuffle;
  }

  get localDir(): string {
    return join(this.root, "blockmgr-1");
  }

  get merger(): BlockManagerId {
    return BlockManagerId.of("shuffle-push-merger", HOST, this.service.port);
  }

  get executor(): BlockManagerId {
    return BlockManagerId.of("1", HOST, this.service.port);
  }

  /** Pushes what these maps have written. */
  async push(maps: readonly number[]): Promise<number> {
    const pusher = new ShuffleBlockPusher({ client: this.client, files, random });
    let pushed = 0;
    for (const mapIndex of maps) {
      const ids = { shuffleId: 0, shuffleMergeId: 0, mapIndex, mergers: [this.merger] };
      const outcome = await pusher.push({ ...ids, ...this.#pathsOf(mapIndex) });
      pushed += outcome.pushed;
    }
    return pushed;
  }

  /** Ends the merging; what was merged, by partition. */
  async finalize(): Promise<PushMergedPartition[]> {
    const statuses = await this.client.finalizeShuffleMerge(HOST, this.service.port, 0, 0);
    return statuses.reduceIds.map((reduceId, at) => ({
      location: this.merger,
      blockId: shuffleMergedBlockId(0, 0, reduceId),
      size: Number(statuses.sizes[at]),
      maps: mapsOf(statuses, at),
    }));
  }

  /** Where blocks lie that were not merged, or are lost again. */
  blocksOf(reduceId: number, isWanted: (mapIndex: number) => boolean): BlocksByLocation[] {
    const maps = Array.from({ length: MAPS }, (_, map) => map);
    const blocks = maps
      .map((mapIndex) => ({
        blockId: shuffleBlockId(0, BigInt(mapIndex), reduceId),
        size: contentOf(mapIndex, reduceId).length,
        mapIndex,
      }))
      .filter(({ mapIndex, size }) => size > 0 && isWanted(mapIndex));
    return [{ location: this.executor, blocks }];
  }

  mergedPath(reduceId: number, suffix: "data" | "index" | "meta"): string {
    const name = `shuffleMerged_${APP}_0_0_${reduceId}.${suffix}`;
    return localFilePath([join(this.root, MERGE_DIR)], 64, name).path;
  }

  async #write(mapIndex: number): Promise<void> {
    const { data, index } = this.#pathsOf(mapIndex);
    const parts = Array.from({ length: PARTITIONS }, (_, reduce) => contentOf(mapIndex, reduce));
    const lengths = parts.map(({ length }) => length);
    await Promise.all([data, index].map((path) => mkdir(dirname(path), { recursive: true })));
    await writeFile(data, parts.join(""));
    await writeFile(index, ShuffleIndexFile.fromLengths(lengths).toBytes());
  }

  #pathsOf(mapIndex: number): { readonly data: string; readonly index: string } {
    const pathOf = (suffix: string): string =>
      localFilePath([this.localDir], 64, `shuffle_0_${mapIndex}_0.${suffix}`).path;
    return { data: pathOf("data"), index: pathOf("index") };
  }
}

function mapsOf({ bitmaps }: MergeStatuses, at: number): MergedMaps {
  const maps = new Set(roaringBitmapValues(bitmaps[at] ?? Buffer.alloc(0)));
  return { numMaps: maps.size, hasMap: (mapIndex) => maps.has(mapIndex) };
}
