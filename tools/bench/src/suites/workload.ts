/**
 * What a client is told to do, as one line of JSON. The clients of both languages read the same lines
 * (java/src/main/java/bm/interop/BenchClient.java), so all fields are always there.
 */
export interface Workload {
  readonly kind: "rpc" | "chunk" | "connect" | "idle" | "slow-reader" | "stopped-readers";
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly window: number;
  /**
   * rolling: an answer is followed by the next request. burst: the whole window is sent at once and
   * awaited. blocking: as callers write it that wait for each answer (a promise; a thread in Java).
   */
  readonly pacing: "rolling" | "burst" | "blocking";
  readonly requestBytes: number;
  readonly replyBytes: number;
  readonly region: "memory" | "file";
  /** Sizes of the chunks; the stream changes after every `chunksPerStream` of them. */
  readonly chunkBytes: readonly number[];
  readonly chunksPerStream: number;
  /** No new request after this time, once `operationsMin` were made. */
  readonly seconds: number;
  readonly operationsMin: number;
  readonly operationsMax: number;
  /** Process of a server on this machine, whose memory can be looked up; 0 for others. */
  readonly serverPid: number;
  /** The first answers are compared byte by byte instead of at samples. */
  readonly isWarmUp: boolean;
}

/** What one run of a workload came to; also the line with which a client answers. */
export interface Outcome {
  readonly operations: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly clientCpuSeconds: number;
  readonly serverCpuSeconds: number;
  readonly clientPeakBytes: number;
  readonly serverPeakBytes: number;
  /** Resident memory that each unit (an idle connection, a stopped reader) cost; 0 in other suites. */
  readonly serverBytesPerUnit: number;
  readonly clientBytesPerUnit: number;
  /** Throughput beside a stopped reader, divided by the throughput without; 0 in other suites. */
  readonly keptShare: number;
}

/** What the loads measure themselves; the rest of an outcome is the same for all. */
export type Measured = Partial<Outcome> & Pick<Outcome, "operations" | "bytes" | "seconds">;

/** Chunk `index` of a workload: its size and its stream. */
export function chunkBytesAt(workload: Workload, index: number): number {
  const { chunkBytes, chunksPerStream } = workload;
  return chunkBytes[Math.floor(index / chunksPerStream) % chunkBytes.length] ?? 0;
}
