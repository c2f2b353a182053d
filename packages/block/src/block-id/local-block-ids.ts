/** Blocks that stay on the machine that wrote them: temporary files, logs, and blocks of tests. */
import { checkLong } from "../java/java-integers.ts";
import { canonicalUuid } from "../java/java-uuid.ts";

/** A spill or download that is not shuffle data: `temp_local_<uuid>`. */
export interface TempLocalBlockId {
  readonly kind: "tempLocal";
  readonly name: string;
  /** Canonical UUID. */
  readonly id: string;
}

/** A spill of shuffle data: `temp_shuffle_<uuid>`. */
export interface TempShuffleBlockId {
  readonly kind: "tempShuffle";
  readonly name: string;
  /** Canonical UUID. */
  readonly id: string;
}

/** A block of a test: `test_<id>`. */
export interface TestBlockId {
  readonly kind: "test";
  readonly name: string;
  readonly id: string;
}

/** Lines of a log, in tests: `test_log_<lastLogTime>_<executorId>`. */
export interface TestLogBlockId {
  readonly kind: "testLog";
  readonly name: string;
  /** Milliseconds since 1970 of the last line. */
  readonly lastLogTime: bigint;
  readonly executorId: string;
}

/** Lines of a Python worker's log: `python_worker_log_<lastLogTime>_<executorId>_<sessionId>_<workerId>`. */
export interface PythonWorkerLogBlockId {
  readonly kind: "pythonWorkerLog";
  readonly name: string;
  /** Milliseconds since 1970 of the last line. */
  readonly lastLogTime: bigint;
  readonly executorId: string;
  readonly sessionId: string;
  readonly workerId: string;
}

/** Names a local temporary block. @throws BlockError BLOCK_ID_UUID_INVALID, BLOCK_ID_NUMBER_INVALID */
export function tempLocalBlockId(uuid: string): TempLocalBlockId {
  const id = canonicalUuid(uuid);
  return { kind: "tempLocal", name: `temp_local_${id}`, id };
}

/** Names a spill of shuffle data. @throws BlockError BLOCK_ID_UUID_INVALID, BLOCK_ID_NUMBER_INVALID */
export function tempShuffleBlockId(uuid: string): TempShuffleBlockId {
  const id = canonicalUuid(uuid);
  return { kind: "tempShuffle", name: `temp_shuffle_${id}`, id };
}

/** Names a block of a test. */
export function testBlockId(id: string): TestBlockId {
  return { kind: "test", name: `test_${id}`, id };
}

/** Names a log block of a test. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function testLogBlockId(lastLogTime: bigint, executorId: string): TestLogBlockId {
  const name = `test_log_${checkLong(lastLogTime)}_${executorId}`;
  return { kind: "testLog", name, lastLogTime, executorId };
}

/** Names a block of a Python worker's log. @throws BlockError BLOCK_ID_NUMBER_INVALID */
export function pythonWorkerLogBlockId(
  lastLogTime: bigint,
  executorId: string,
  sessionId: string,
  workerId: string,
): PythonWorkerLogBlockId {
  const name = `python_worker_log_${checkLong(lastLogTime)}_${executorId}_${sessionId}_${workerId}`;
  return { kind: "pythonWorkerLog", name, lastLogTime, executorId, sessionId, workerId };
}
