import type { Stage } from "./stage.ts";

/** One thing that a suite measures. */
export interface ServiceFigure {
  readonly name: string;
  readonly unit: string;
  /** What ours divided by Spark's should be; null where only the value itself counts. */
  readonly wantedRatio: Wanted | null;
  /** What ours alone should be; null where only the ratio counts. */
  readonly wantedValue: Wanted | null;
}

/** A bound. */
export interface Wanted {
  readonly is: "at least" | "at most";
  readonly bound: number;
}

/** Values of one round by the names of the figures. */
export type Round = Readonly<Record<string, number>>;

/** One part of the benchmark of the shuffle service. */
export interface ServiceSuite {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly ServiceFigure[];
  /** More than this only repeat what is known: they take long. */
  readonly roundsMax: number;
  /** What a round does is done once before, unmeasured, so that compilers have seen it. */
  readonly isWarmedUp: boolean;
  run(stage: Stage): Promise<Round>;
}
