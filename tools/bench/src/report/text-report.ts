import { machineText } from "./machine.ts";
import type { RunReport } from "./run-report.ts";
import { tablesOf, textTable } from "./tables.ts";

/** For people at a terminal. */
export function textReport(report: RunReport): string {
  const tables = tablesOf(report.comparisons).map((table) => textTable(table));
  return [machineText(report.machine), ...tables, RATIO_NOTE].join("\n\n");
}

/** What a reader of ratios should know. */
export const RATIO_NOTE: string =
  "Ratios are medians over the rounds with [least-most]. Compare ratios between runs, never the rest.";
