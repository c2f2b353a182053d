/**
 * How a value is written:
 *
 * - `boolean`: `true` in any case; everything else is false
 * - `int`: a sign and digits, 32 bits; `long`: the same with 64 bits
 * - `bytes`: a size such as `64k`; `intBytes`: the same below 2^31
 * - `seconds`: a time such as `30s`; a part of a second is cut off
 * - `text`, `list` (separated by commas), `choice` (one of `choices`, in any case)
 * - `prefix`: every key that starts with the name
 */
export type ConfType =
  | "boolean"
  | "int"
  | "long"
  | "bytes"
  | "intBytes"
  | "seconds"
  | "text"
  | "list"
  | "choice"
  | "prefix";

/** One configuration key: what parsing, `bm config` and the documentation are made from. */
export interface ConfKey {
  /** The getter of TransportConf that gives the value; times end in `Ms`. */
  readonly property: string;
  /** Full name; `<m>` stands for the module (`shuffle`, `rpc`, `files`, …). */
  readonly name: string;
  readonly type: ConfType;
  /** Unit of a bare number where the type does not say it. */
  readonly unit?: "bytes" | "us" | "ms" | "%" | "ports" | "chunks";
  /** As it would be written; null when there is none. */
  readonly default: string | null;
  /** Name of the key whose value is the default, before `default`. */
  readonly defaultFrom?: string;
  /** Least value that Spark can work with; less is refused. A time below it is taken as it. */
  readonly min?: number;
  /** Greatest value that Spark can work with; more is refused. */
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Value that a module has whatever is set. */
  readonly fixedFor?: Readonly<Record<string, string>>;
  /** A password: never shown, neither in `entries` nor in an error. */
  readonly isSecret?: boolean;
  /** Spark release whose public documentation first has it (for module `shuffle`), else null. */
  readonly since: string | null;
  readonly doc: string;
}
