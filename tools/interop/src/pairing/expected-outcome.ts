import { isDeepStrictEqual } from "node:util";
import { type ExpectedDifference, TOLD_TWICE } from "./expected-differences.ts";
import type { Side } from "./peers.ts";

/** Which ends meet, and of which release of Spark the foreign one is. */
export interface Meeting {
  readonly client: Side;
  readonly server: Side;
  readonly sparkVersion: string;
}

/** What is wanted of a case here. */
export interface JudgedCase {
  readonly name: string;
  readonly expected: unknown;
}

/** What this meeting must show in this case. Throws when the list of differences is wrong. */
export function expectedOutcome(
  one: JudgedCase,
  meeting: Meeting,
  differences: readonly ExpectedDifference[],
): unknown {
  const [row, second] = differences.filter((known) => applies(known, one, meeting));
  if (row === undefined) return one.expected;
  if (second !== undefined) throw new Error("two rows of expected differences speak of this");
  if (isDeepStrictEqual(row.observed, one.expected)) {
    throw new Error("a row of expected differences tells no difference");
  }
  return row.observed;
}

/** What was observed, without the repetitions of {@link TOLD_TWICE}. */
export function toldOnce(observed: unknown): unknown {
  if (Array.isArray(observed)) return observed.map(toldOnce);
  if (typeof observed !== "object" || observed === null) return observed;
  const folded: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(observed)) {
    const isRepeated = key === TOLD_TWICE.repeated;
    const name = isRepeated ? TOLD_TWICE.once : key;
    const before = folded[name];
    folded[name] = typeof before === "number" ? before + Number(value) : toldOnce(value);
  }
  return folded;
}

/** True when the row speaks of this case and meeting. */
export function applies(row: ExpectedDifference, one: JudgedCase, meeting: Meeting): boolean {
  const { client, server, versions } = row;
  return (
    row.cases.test(one.name) &&
    (client === undefined || client === meeting.client) &&
    (server === undefined || server === meeting.server) &&
    (versions === undefined || versions.test(meeting.sparkVersion))
  );
}
