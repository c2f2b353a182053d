import type { Finding } from "../finding.ts";

/** Outcome of one repository check. */
export interface CheckResult {
  readonly name: string;
  readonly findings: readonly Finding[];
}

/** What a run of the checks leaves behind for the summary. */
export interface ChecksReport {
  readonly results: readonly CheckResult[];
}
