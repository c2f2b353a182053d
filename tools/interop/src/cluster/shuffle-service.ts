/** A shuffle service that a cluster is pointed at, as a process of its own. */

/** What a service says that it did since it started. */
export interface ServiceCounters {
  /** Bytes of the blocks that it gave out: Spark's `blockTransferRateBytes`. */
  readonly bytes: number;
  /** Blocks that it gave out: Spark's `blockTransferRate`. */
  readonly blocks: number;
  /** Executors that it knows now: Spark's `registeredExecutorsSize`. */
  readonly executors: number;
}

/** Spark's own, or ours. */
export interface ShuffleService {
  readonly port: number;
  counters(): Promise<ServiceCounters>;
  /** Ends the process. May be called twice. */
  close(): Promise<void>;
}
