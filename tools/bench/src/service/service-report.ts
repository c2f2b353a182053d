/** The figures of a run as a table: ours, Spark's, the ratio with its spread, and what is wanted. */
import { figure, spreadText } from "../report/figures.ts";
import { median, ratioOf, type Spread } from "../report/statistics.ts";
import { textTable } from "../report/tables.ts";
import type { ServiceResult } from "./service-contest.ts";
import type { ServiceFigure, Wanted } from "./service-suite.ts";

const HEADING = ["suite", "figure", "ours", "Spark's", "ours / Spark's", "wanted", "met"];

/** For people at a terminal. */
export function serviceReport(results: readonly ServiceResult[]): string {
  const rows = results.flatMap(({ ours, suite, theirs }) =>
    suite.figures.map((one, at) => {
      const judged = judge(one, ours, theirs);
      return [at === 0 ? suite.name : "", `${one.name}, ${one.unit}`, ...cellsOf(one, judged)];
    }),
  );
  return textTable({ title: "Shuffle service", rows: [HEADING, ...rows] });
}

/** One line for a suite that is done. */
export function serviceProgress({ ours, suite, theirs }: ServiceResult): string {
  const parts = suite.figures.map((one) => {
    const judged = judge(one, ours, theirs);
    const ratio = judged.ratio === null ? "" : ` (${spreadText(judged.ratio)})`;
    return `${one.name} ${figure(judged.ours)} ${one.unit}${ratio}`;
  });
  return `${suite.name}: ${parts.join(", ")}`;
}

/** For machines: each round included. */
export function serviceJson(results: readonly ServiceResult[]): object[] {
  return results.map(({ ours, suite, theirs }) => ({ suite: suite.name, ours, theirs }));
}

interface Judged {
  readonly ours: number;
  readonly theirs: number | null;
  readonly ratio: Spread | null;
  /** Null where nothing is wanted, or nobody is there to be compared with. */
  readonly isMet: boolean | null;
}

function judge(
  { name, wantedRatio, wantedValue }: ServiceFigure,
  ours: ServiceResult["ours"],
  theirs: ServiceResult["theirs"],
): Judged {
  const own = ours.map((round) => round[name] ?? Number.NaN);
  const other = theirs.map((round) => round[name] ?? Number.NaN);
  const ratio = other.length === 0 ? null : ratioOf(own, other);
  const value = median(own);
  const isMet =
    wantedValue !== null
      ? holds(wantedValue, value)
      : wantedRatio !== null && ratio !== null
        ? holds(wantedRatio, ratio.median)
        : null;
  return { ours: value, theirs: other.length === 0 ? null : median(other), ratio, isMet };
}

function holds({ bound, is }: Wanted, value: number): boolean {
  return is === "at least" ? value >= bound : value <= bound;
}

function cellsOf(one: ServiceFigure, { isMet, ours, ratio, theirs }: Judged): string[] {
  return [
    figure(ours),
    theirs === null ? "" : figure(theirs),
    ratio === null ? "" : spreadText(ratio),
    wantedText(one),
    isMet === null ? "" : isMet ? "yes" : "no",
  ];
}

function wantedText({ unit, wantedRatio, wantedValue }: ServiceFigure): string {
  if (wantedValue !== null) return `${wantedValue.is} ${wantedValue.bound} ${unit}`;
  return wantedRatio === null ? "" : `ratio ${wantedRatio.is} ${wantedRatio.bound}`;
}
