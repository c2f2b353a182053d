import type { Pace } from "../contest/contest.ts";
import type { Comparison } from "./comparison.ts";
import type { Machine } from "./machine.ts";

/** Everything that a run found out. */
export interface RunReport {
  readonly machine: Machine;
  /** As it was typed. */
  readonly command: string;
  readonly pace: Pace;
  readonly comparisons: readonly Comparison[];
}

/** For machines: all of it, each round included. */
export function jsonReport(report: RunReport): string {
  return JSON.stringify(report, null, 2);
}
