/** Blocks that hold data outside a shuffle: partitions, broadcasts, results, received streams, caches. */
import { checkInt, checkLong } from "../java/java-integers.ts";

/** A cached partition of a data set: `rdd_<rddId>_<splitIndex>`. */
export interface RddBlockId {
  readonly kind: "rdd";
  readonly name: string;
  readonly rddId: number;
  readonly splitIndex: number;
}

/** A broadcast value, or a part of one: `broadcast_<broadcastId>` or `broadcast_<broadcastId>_<field>`. */
export interface BroadcastBlockId {
  readonly kind: "broadcast";
  readonly name: string;
  readonly broadcastId: bigint;
  /** Empty for the value; `piece<n>` for a piece; `python` for the data of a Python broadcast. */
  readonly field: string;
}

/** The result of a task that was too big for its status: `taskresult_<taskId>`. */
export interface TaskResultBlockId {
  readonly kind: "taskResult";
  readonly name: string;
  readonly taskId: bigint;
}

/** Data that a receiver took in: `input-<streamId>-<uniqueId>`. */
export interface StreamBlockId {
  readonly kind: "stream";
  readonly name: string;
  readonly streamId: number;
  readonly uniqueId: bigint;
}

/** Data of a Python stream source: `python-stream-<streamId>-<uniqueId>`. */
export interface PythonStreamBlockId {
  readonly kind: "pythonStream";
  readonly name: string;
  readonly streamId: number;
  readonly uniqueId: bigint;
}

/** A relation that a client session cached: `cache_<sessionUuid>_<hash>`. Such a name never parses. */
export interface CacheBlockId {
  readonly kind: "cache";
  readonly name: string;
  readonly sessionUuid: string;
  readonly hash: string;
}

/** Names a cached partition. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function rddBlockId(rddId: number, splitIndex: number): RddBlockId {
  const name = `rdd_${checkInt(rddId)}_${checkInt(splitIndex)}`;
  return { kind: "rdd", name, rddId, splitIndex };
}

/** Names a broadcast value or, with a field, a part of it. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function broadcastBlockId(broadcastId: bigint, field = ""): BroadcastBlockId {
  const name = `broadcast_${checkLong(broadcastId)}${field === "" ? "" : `_${field}`}`;
  return { kind: "broadcast", name, broadcastId, field };
}

/** Names a task's result. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function taskResultBlockId(taskId: bigint): TaskResultBlockId {
  return { kind: "taskResult", name: `taskresult_${checkLong(taskId)}`, taskId };
}

/** Names data of a receiver. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function streamBlockId(streamId: number, uniqueId: bigint): StreamBlockId {
  const name = `input-${checkInt(streamId)}-${checkLong(uniqueId)}`;
  return { kind: "stream", name, streamId, uniqueId };
}

/** Names data of a Python stream source. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function pythonStreamBlockId(streamId: number, uniqueId: bigint): PythonStreamBlockId {
  const name = `python-stream-${checkInt(streamId)}-${checkLong(uniqueId)}`;
  return { kind: "pythonStream", name, streamId, uniqueId };
}

/** Names a session's cached relation. */
export function cacheBlockId(sessionUuid: string, hash: string): CacheBlockId {
  return { kind: "cache", name: `cache_${sessionUuid}_${hash}`, sessionUuid, hash };
}
