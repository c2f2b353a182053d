import type { Workload } from "../suites/workload.ts";

/** Takes the answers to the requests of one sender, one at a time. */
export interface Answers {
  /** `bytes` is valid during this call only; null when the link compared them itself. */
  answered(bytes: Uint8Array | null): void;
  failed(error: Error): void;
}

/** Counters of a server, as the contract's RPC -1 gives them. */
export interface ServerCounters {
  readonly cpuSeconds: number;
  /** Peak. */
  readonly residentBytes: number;
}

/** One connection of a contender, as the load needs it. */
export interface Link {
  /** A way to send request or chunk number `index`; at most one request of a sender is in flight. */
  createSender(answers: Answers): (index: number) => void;
  counters(): Promise<ServerCounters>;
  pauseReading(): void;
  resumeReading(): void;
  close(): Promise<void>;
}

/** Makes connections for a workload. */
export type Connect = (workload: Workload) => Promise<Link>;
