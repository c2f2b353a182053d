/** What a person, or a script with `--json`, sees at the end. */
import { formatBytes } from "./progress.ts";
import { type Difference, mostFrequent } from "./verdict.ts";

/** How long a stage took and what it did. */
export interface StageReport {
  readonly name: string;
  readonly tasks: number;
  readonly elapsedMs: number;
}

/** Everything that is worth knowing of a run. */
export interface RunReport {
  readonly inputFiles: number;
  readonly inputBytes: number;
  readonly words: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly stages: readonly StageReport[];
  /** Shuffle bytes that reducers read over sockets. */
  readonly socketBytes: number;
  /** Shuffle bytes that reducers found on their own disk. */
  readonly localBytes: number;
  readonly recomputedMaps: number;
  readonly lostExecutors: readonly string[];
  /** How often the driver was killed and started again. */
  readonly driverRestarts: number;
  /** Map outputs that the driver knew from before. */
  readonly restoredMaps: number;
  readonly processes: readonly { readonly name: string; readonly peakBytes: number }[];
  /** Empty when the result is right. */
  readonly differences: readonly Difference[];
  readonly keptFiles: string | null;
}

const TOP_WORDS = 20;

/** One JSON object. */
export function jsonReport(report: RunReport): string {
  const { counts, differences, ...rest } = report;
  return JSON.stringify({
    verified: differences.length === 0,
    ...rest,
    distinctWords: counts.size,
    topWords: mostFrequent(counts, TOP_WORDS),
    differences,
  });
}

/** Lines for a person. */
export function textReport(report: RunReport): string {
  const { counts, words } = report;
  return [
    `\nThe ${TOP_WORDS} most frequent of ${counts.size} distinct words (${words} in all):`,
    ...topWords(counts),
    "",
    ...figures(report),
    "",
    verdict(report),
  ].join("\n");
}

function topWords(counts: ReadonlyMap<string, number>): string[] {
  const cells = mostFrequent(counts, TOP_WORDS).map(
    ([word, count]) => `${word.padEnd(14)}${String(count).padStart(9)}`,
  );
  const half = Math.ceil(cells.length / 2);
  return cells
    .slice(0, half)
    .map((cell, row) => `  ${cell}    ${cells[half + row] ?? ""}`.trimEnd());
}

function figures(report: RunReport): string[] {
  const { inputBytes, inputFiles, lostExecutors, recomputedMaps, processes } = report;
  const lines = [
    `input      ${formatBytes(inputBytes)} in ${inputFiles} files`,
    `shuffled   ${formatBytes(report.socketBytes)} over sockets, ${formatBytes(report.localBytes)} from the own disk`,
    `stages     ${report.stages.map(({ name, elapsedMs }) => `${name} ${(elapsedMs / 1000).toFixed(1)} s`).join(", ")}`,
    `peak mem   ${processes.map(({ name, peakBytes }) => `${name} ${formatBytes(peakBytes)}`).join(", ")}`,
  ];
  if (lostExecutors.length > 0) {
    lines.push(`lost       ${lostExecutors.join(", ")}; ${recomputedMaps} map outputs recomputed`);
  }
  if (report.driverRestarts > 0) {
    const restored = `${report.restoredMaps} map outputs known from before`;
    lines.push(`restarted  the driver, ${report.driverRestarts} time; ${restored}`);
  }
  if (report.keptFiles !== null) lines.push(`files      ${report.keptFiles}`);
  return lines;
}

function verdict({ counts, differences }: RunReport): string {
  if (differences.length === 0) {
    return `verified   all ${counts.size} counts equal those of an independent single-process count`;
  }
  return [
    "WRONG      the result differs from an independent single-process count:",
    ...differences.map(
      ({ word, counted, expected }) =>
        `  ${word}: counted ${counted ?? "not at all"}, expected ${expected ?? "not at all"}`,
    ),
  ].join("\n");
}
