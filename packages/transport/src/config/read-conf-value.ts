/** One configuration value from its text, by the type that the table gives it. */
import { TransportError } from "../transport-error.ts";
import type { ConfKey } from "./conf-key.ts";
import { parseByteSize, parseDurationMs } from "./units.ts";

/** A value as its getter gives it; null when there is none. */
export type ConfValue = boolean | number | string | readonly string[] | null;

const INT32_MAX = 0x7fff_ffff;
const INT32_MIN = -0x8000_0000;

/**
 * The value that a text means for a key.
 * @param text null when the key is neither set nor has a default.
 * @throws TransportError OPTION_INVALID naming the key, the value and what would be right.
 */
export function readConfValue(key: ConfKey, name: string, text: string | null): ConfValue {
  switch (key.type) {
    case "boolean":
      return text?.toLowerCase() === "true";
    case "int":
      return checkRange(key, name, readInteger(name, text ?? "", INT32_MIN, INT32_MAX));
    case "long":
      return checkRange(key, name, readLong(name, text ?? ""));
    case "bytes":
      return readBytes(name, text ?? "", Number.MAX_SAFE_INTEGER);
    case "intBytes":
      return checkRange(key, name, readBytes(name, text ?? "", INT32_MAX));
    case "seconds":
      return readSeconds(key, name, text ?? "");
    case "choice":
      return readChoice(key, name, text ?? "");
    case "list":
      return splitList(text ?? "");
    case "text":
    case "prefix":
      return text;
    default:
      return key.type satisfies never;
  }
}

function readInteger(name: string, text: string, min: number, max: number): number {
  // Anything longer than 64 bits is out of every range, however the digits round.
  const value = /^[-+]?[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalid(name, text, `an integer from ${min} to ${max}`);
}

/** Clamped to what a number holds exactly: the borders mean "no limit" on the JVM too. */
function readLong(name: string, text: string): number {
  const isLong = /^[-+]?[0-9]+$/.test(text) && BigInt.asIntN(64, toBigInt(text)) === toBigInt(text);
  if (!isLong) throw invalid(name, text, "an integer of at most 64 bits");
  return Math.min(Math.max(Number(text), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

function toBigInt(text: string): bigint {
  return BigInt(text.startsWith("+") ? text.slice(1) : text);
}

function readBytes(name: string, text: string, max: number): number {
  let bytes: number;
  try {
    bytes = parseByteSize(text);
  } catch (error) {
    throw invalid(name, text, "a size such as 512, 64k or 2m, without sign or fraction", error);
  }
  if (bytes <= max) return bytes;
  throw invalid(name, text, `a size of at most ${max} bytes`);
}

/** Spark reads these times in whole seconds. Where its 32 bits would overflow, the limit is taken. */
function readSeconds(key: ConfKey, name: string, text: string): number {
  let timeMs: number;
  try {
    timeMs = parseDurationMs(text, "s");
  } catch (error) {
    throw invalid(name, text, "a time such as 120, 30s or 5min, without fraction", error);
  }
  const wholeMs = Math.trunc(timeMs / 1000) * 1000;
  return Math.min(Math.max(wholeMs, key.min ?? INT32_MIN), INT32_MAX);
}

function readChoice(key: ConfKey, name: string, text: string): string {
  const value = text.toUpperCase();
  const { choices = [] } = key;
  if (choices.includes(value)) return value;
  throw invalid(name, text, `one of ${choices.join(", ")}`);
}

function splitList(text: string): readonly string[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "");
}

function checkRange(key: ConfKey, name: string, value: number): number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = key;
  if (value >= min && value <= max) return value;
  const right = key.max === undefined ? `at least ${min}` : `from ${min} to ${max}`;
  throw invalid(name, String(value), right);
}

function invalid(name: string, text: string, right: string, cause?: unknown): TransportError {
  return new TransportError("OPTION_INVALID", `${name} is "${text}"; right would be ${right}`, {
    cause,
  });
}
