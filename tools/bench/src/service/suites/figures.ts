/** Short words for what a suite measures. */
import type { ServiceFigure, Wanted } from "../service-suite.ts";

export const KIB = 1024;
export const MIB: number = 1024 * KIB;

/** A bound for suites. */
export const atLeast = (bound: number): Wanted => ({ is: "at least", bound });
/** A bound for suites. */
export const atMost = (bound: number): Wanted => ({ is: "at most", bound });

/** A figure that is judged beside Spark's, or not at all. */
export function ratio(name: string, unit: string, wantedRatio: Wanted | null): ServiceFigure {
  return { name, unit, wantedRatio, wantedValue: null };
}

/** A figure that is judged alone. */
export function value(name: string, unit: string, wantedValue: Wanted): ServiceFigure {
  return { name, unit, wantedRatio: null, wantedValue };
}
