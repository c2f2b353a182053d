/** A median with the least and the most of what it was taken from. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** NaN for an empty list; the mean of the middle two for an even count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** The spread of a list. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/**
 * Round by round, for neighbours in time had the same machine; not the ratio of the medians. Rounds
 * without a positive value on both sides say nothing (memory that shrank) and are left out.
 */
export function ratioOf(numerators: readonly number[], denominators: readonly number[]): Spread {
  const ratios = numerators.map((value, round) => value / (denominators[round] ?? 0));
  return spreadOf(ratios.filter((ratio) => Number.isFinite(ratio) && ratio > 0));
}
