/** Compares the result of the job with the independent count. */

/** One word whose counts differ; null where a side has no such word. */
export interface Difference {
  readonly word: string;
  readonly counted: number | null;
  readonly expected: number | null;
}

const SHOWN_DIFFERENCES = 10;

/** The first differing words in alphabetical order; empty when the two agree completely. */
export function differencesBetween(
  counted: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, number>,
): Difference[] {
  const differing: Difference[] = [];
  for (const word of new Set([...counted.keys(), ...expected.keys()])) {
    const difference = {
      word,
      counted: counted.get(word) ?? null,
      expected: expected.get(word) ?? null,
    };
    if (difference.counted !== difference.expected) differing.push(difference);
  }
  return differing.toSorted((a, b) => (a.word < b.word ? -1 : 1)).slice(0, SHOWN_DIFFERENCES);
}

/** The most frequent words, ties in alphabetical order. */
export function mostFrequent(
  counts: ReadonlyMap<string, number>,
  limit: number,
): [string, number][] {
  return [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, limit);
}
