/** A job with its driver and executors, wherever the driver runs. */
import type { InputSplit } from "./input.ts";
import type { RunReport } from "./report.ts";

/** What the driver knows when the job is done. */
export type JobReport = Omit<
  RunReport,
  "inputFiles" | "inputBytes" | "differences" | "keptFiles" | "driverRestarts"
>;

/** See the file comment. */
export interface Job {
  /** Who takes part, for people. */
  readonly cast: string;
  /** How often the driver was started again. */
  readonly driverRestarts: number;
  /** Maps and reduces until every partition is summed up. */
  run(splits: readonly InputSplit[]): Promise<JobReport>;
  /** Ends every process. */
  stop(): Promise<void>;
}
