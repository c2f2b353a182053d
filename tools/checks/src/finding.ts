/** One fault found by a check: where it is, what is wrong, and how to put it right. */
export interface Finding {
  /** Path from the root of the tree, with forward slashes. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
  readonly fix: string;
}

/** Gives the finding as one line that editors and terminals turn into a link. */
export function formatFinding(finding: Finding): string {
  return `${finding.file}:${finding.line}  ${finding.message}  -> ${finding.fix}`;
}

/** Orders findings by file, then by line, so that two runs print the same text. */
export function compareFindings(left: Finding, right: Finding): number {
  return left.file === right.file ? left.line - right.line : left.file < right.file ? -1 : 1;
}
