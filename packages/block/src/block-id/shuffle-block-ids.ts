/** Blocks and files of a shuffle's map outputs. `mapId` is the id of the map task, not its index. */
import { checkInt, checkLong } from "../java/java-integers.ts";

interface MapOutputFields {
  readonly name: string;
  readonly shuffleId: number;
  readonly mapId: bigint;
  readonly reduceId: number;
}

/** One partition of one map output: `shuffle_<shuffleId>_<mapId>_<reduceId>`. */
export interface ShuffleBlockId extends MapOutputFields {
  readonly kind: "shuffle";
}

/** A run of partitions, end excluded: `shuffle_<shuffleId>_<mapId>_<start>_<end>`. */
export interface ShuffleBlockBatchId {
  readonly kind: "shuffleBatch";
  readonly name: string;
  readonly shuffleId: number;
  readonly mapId: bigint;
  readonly startReduceId: number;
  readonly endReduceId: number;
}

/** The file with all partitions of a map output: `shuffle_<shuffleId>_<mapId>_<reduceId>.data`. */
export interface ShuffleDataBlockId extends MapOutputFields {
  readonly kind: "shuffleData";
}

/** The file with the offsets into it: `shuffle_<shuffleId>_<mapId>_<reduceId>.index`. */
export interface ShuffleIndexBlockId extends MapOutputFields {
  readonly kind: "shuffleIndex";
}

/**
 * The file with its checksums, `shuffle_<shuffleId>_<mapId>_<reduceId>.checksum`; on disk the name of
 * the algorithm follows. A name of this kind never parses.
 */
export interface ShuffleChecksumBlockId extends MapOutputFields {
  readonly kind: "shuffleChecksum";
}

/** Names one partition of a map output. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleBlockId(shuffleId: number, mapId: bigint, reduceId: number): ShuffleBlockId {
  return { kind: "shuffle", ...mapOutput(shuffleId, mapId, reduceId, "") };
}

/** Names the partitions from start to before end. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleBlockBatchId(
  shuffleId: number,
  mapId: bigint,
  startReduceId: number,
  endReduceId: number,
): ShuffleBlockBatchId {
  return {
    kind: "shuffleBatch",
    name: `shuffle_${checkInt(shuffleId)}_${checkLong(mapId)}_${checkInt(startReduceId)}_${checkInt(endReduceId)}`,
    shuffleId,
    mapId,
    startReduceId,
    endReduceId,
  };
}

/** Names a map output's data file; its reduce id is 0. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleDataBlockId(
  shuffleId: number,
  mapId: bigint,
  reduceId = 0,
): ShuffleDataBlockId {
  return { kind: "shuffleData", ...mapOutput(shuffleId, mapId, reduceId, ".data") };
}

/** Names a map output's index file; its reduce id is 0. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleIndexBlockId(
  shuffleId: number,
  mapId: bigint,
  reduceId = 0,
): ShuffleIndexBlockId {
  return { kind: "shuffleIndex", ...mapOutput(shuffleId, mapId, reduceId, ".index") };
}

/** Names a map output's checksum file; its reduce id is 0. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function shuffleChecksumBlockId(
  shuffleId: number,
  mapId: bigint,
  reduceId = 0,
): ShuffleChecksumBlockId {
  return { kind: "shuffleChecksum", ...mapOutput(shuffleId, mapId, reduceId, ".checksum") };
}

function mapOutput(
  shuffleId: number,
  mapId: bigint,
  reduceId: number,
  suffix: string,
): MapOutputFields {
  const name = `shuffle_${checkInt(shuffleId)}_${checkLong(mapId)}_${checkInt(reduceId)}${suffix}`;
  return { name, shuffleId, mapId, reduceId };
}
