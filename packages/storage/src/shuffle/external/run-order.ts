import { RecordWriter } from "../../serializer/record-writer.ts";
import type { Field } from "../../serializer/serializer.ts";

/** A record with what it is ordered by. */
export interface Ranked<Key, Value, Rank> {
  readonly rank: Rank;
  readonly key: Key;
  readonly value: Value;
}

/** How the records of a run are ordered. */
export interface RunOrder<Key, Rank> {
  /** What is compared; made once for each record. */
  rankOf(key: Key): Rank;
  compare(one: Rank, other: Rank): number;
}

/** The order of a comparison of keys. */
export function orderBy<Key>(compare: (one: Key, other: Key) => number): RunOrder<Key, Key> {
  return { rankOf: (key) => key, compare };
}

/**
 * An order of keys of any kind: by the bytes in which they are written, one character a byte. Keys are
 * equal when their bytes are, so no two different ones ever meet as Spark's do that have one hash.
 */
export function orderByBytes<Key>(field: Field<Key>): RunOrder<Key, string> {
  const writer = new RecordWriter();
  return {
    rankOf: (key) => {
      writer.beginRecord();
      field.write(writer, key);
      return writer.takeFields().toString("latin1");
    },
    compare: (one, other) => (one < other ? -1 : one > other ? 1 : 0),
  };
}
