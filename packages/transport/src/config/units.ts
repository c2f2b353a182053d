/**
 * Sizes and times as text, in Spark's grammar.
 *
 *     size:  digits [b | k kb ki kib | m mb mi mib | g … | t … | p …]     factors of 1024
 *     time:  [-] digits [us | ms | s | m min | h | d]
 *
 * Letters may be upper case, blanks around the whole are ignored, nothing else is allowed: no sign
 * before a size, no fraction, no blank inside. Values are 64-bit as on the JVM; error texts are
 * Spark's.
 */
import { TransportError } from "../transport-error.ts";

/** Units of a size; each is 1024 times the one before. */
export type ByteUnit = "B" | "KiB" | "MiB" | "GiB" | "TiB" | "PiB";
/** Units of a time. */
export type TimeUnit = "us" | "ms" | "s" | "min" | "h" | "d";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

const BYTES_PER: Readonly<Record<ByteUnit, bigint>> = {
  B: 1n,
  KiB: 1n << 10n,
  MiB: 1n << 20n,
  GiB: 1n << 30n,
  TiB: 1n << 40n,
  PiB: 1n << 50n,
};

const MICROS_PER: Readonly<Record<TimeUnit, bigint>> = {
  us: 1n,
  ms: 1000n,
  s: 1_000_000n,
  min: 60_000_000n,
  h: 3_600_000_000n,
  d: 86_400_000_000n,
};

const BYTE_SUFFIXES: ReadonlyMap<string, ByteUnit> = new Map([
  ["b", "B"],
  ...suffixesOf("k", "KiB"),
  ...suffixesOf("m", "MiB"),
  ...suffixesOf("g", "GiB"),
  ...suffixesOf("t", "TiB"),
  ...suffixesOf("p", "PiB"),
]);

const TIME_SUFFIXES: ReadonlyMap<string, TimeUnit> = new Map([
  ["us", "us"],
  ["ms", "ms"],
  ["s", "s"],
  ["m", "min"],
  ["min", "min"],
  ["h", "h"],
  ["d", "d"],
]);

const BYTE_GRAMMAR =
  "Size must be specified as bytes (b), kibibytes (k), mebibytes (m), gibibytes (g), " +
  "tebibytes (t), or pebibytes(p). E.g. 50b, 100k, or 250m.";
const TIME_GRAMMAR =
  "Time must be specified as seconds (s), milliseconds (ms), microseconds (us), " +
  "minutes (m or min), hour (h), or day (d). E.g. 50s, 100ms, or 250us.";

const NUMBER_FORMAT = "java.lang.NumberFormatException";
const ILLEGAL_ARGUMENT = "java.lang.IllegalArgumentException";

/**
 * A size in bytes. Above 2^53 - 1 the result is 2^53 - 1.
 * @param defaultUnit of a text without a suffix.
 * @throws TransportError OPTION_INVALID; `javaClass` is the class that Spark throws.
 */
export function parseByteSize(text: string, defaultUnit: ByteUnit = "B"): number {
  const { value, unit } = readByteSize(text, defaultUnit);
  return clampToNumber(convertBytes(value, unit, "B"));
}

/**
 * A time in milliseconds, parts of one cut off. Beyond ±(2^53 - 1) the result is that.
 * @param defaultUnit of a text without a suffix.
 * @throws TransportError OPTION_INVALID; `javaClass` is the class that Spark throws.
 */
export function parseDurationMs(text: string, defaultUnit: TimeUnit = "ms"): number {
  return clampToNumber(parseTime(text, "ms", defaultUnit));
}

/**
 * A size in a unit of choice, which is also that of a text without a suffix; parts are cut off.
 * @throws TransportError OPTION_INVALID; also when the result needs more than 63 bits.
 */
export function parseBytes(text: string, unit: ByteUnit): bigint {
  const size = readByteSize(text, unit);
  return convertBytes(size.value, size.unit, unit);
}

/**
 * A time in a unit of choice; parts are cut off, what needs more than 63 bits becomes the limit.
 * @param defaultUnit of a text without a suffix. Default: `unit`.
 * @throws TransportError OPTION_INVALID.
 */
export function parseTime(text: string, unit: TimeUnit, defaultUnit: TimeUnit = unit): bigint {
  const [, digits, suffix] = /^(-?[0-9]+)([a-z]+)?$/.exec(normalized(text)) ?? [];
  if (digits === undefined) throw malformed(TIME_GRAMMAR, `Failed to parse time string: ${text}`);
  const value = readInt64(digits, TIME_GRAMMAR);
  const from = suffix === undefined ? defaultUnit : TIME_SUFFIXES.get(suffix);
  if (from === undefined) throw malformed(TIME_GRAMMAR, `Invalid suffix: "${suffix}"`);
  return saturate((value * MICROS_PER[from]) / MICROS_PER[unit]);
}

interface ByteSize {
  readonly value: bigint;
  readonly unit: ByteUnit;
}

function readByteSize(text: string, defaultUnit: ByteUnit): ByteSize {
  const lower = normalized(text);
  const [, digits, suffix] = /^([0-9]+)([a-z]+)?$/.exec(lower) ?? [];
  if (digits === undefined) {
    const [, fraction] = /^([0-9]+\.[0-9]+)([a-z]+)?$/.exec(lower) ?? [];
    const reason =
      fraction === undefined
        ? `Failed to parse byte string: ${text}`
        : `Fractional values are not supported. Input was: ${fraction}`;
    throw malformed(BYTE_GRAMMAR, reason);
  }
  const value = readInt64(digits, BYTE_GRAMMAR);
  const unit = suffix === undefined ? defaultUnit : BYTE_SUFFIXES.get(suffix);
  if (unit === undefined) throw malformed(BYTE_GRAMMAR, `Invalid suffix: "${suffix}"`);
  return { value, unit };
}

function convertBytes(value: bigint, from: ByteUnit, to: ByteUnit): bigint {
  const bytes = value * BYTES_PER[from];
  const ratio = BYTES_PER[from] / BYTES_PER[to];
  // A ratio of 0: from a smaller to a larger unit, which always fits.
  if (ratio > 0n && value > INT64_MAX / ratio) throw tooManyBytes(value, from);
  return bytes / BYTES_PER[to];
}

function tooManyBytes(value: bigint, unit: ByteUnit): TransportError {
  const hint = "Try a larger unit (e.g. MiB instead of KiB)";
  const message = `Conversion of ${value} exceeds Long.MAX_VALUE in ${unit}. ${hint}`;
  return new TransportError("OPTION_INVALID", message, { javaClass: ILLEGAL_ARGUMENT });
}

/** As on the JVM: first lower case, then without what is at or below the blank at both ends. */
function normalized(text: string): string {
  const lower = text.toLowerCase();
  let start = 0;
  let end = lower.length;
  while (start < end && lower.charCodeAt(start) <= 0x20) start += 1;
  while (end > start && lower.charCodeAt(end - 1) <= 0x20) end -= 1;
  return lower.slice(start, end);
}

function readInt64(digits: string, grammar: string): bigint {
  const value = BigInt(digits);
  if (value === saturate(value)) return value;
  throw malformed(grammar, `For input string: "${digits}"`);
}

function saturate(value: bigint): bigint {
  if (value > INT64_MAX) return INT64_MAX;
  return value < INT64_MIN ? INT64_MIN : value;
}

function clampToNumber(value: bigint): number {
  return Math.max(Math.min(Number(value), Number.MAX_SAFE_INTEGER), Number.MIN_SAFE_INTEGER);
}

function suffixesOf(letter: string, unit: ByteUnit): [string, ByteUnit][] {
  return ["", "b", "i", "ib"].map((rest) => [letter + rest, unit]);
}

function malformed(grammar: string, reason: string): TransportError {
  const message = `${grammar}\n${reason}`;
  return new TransportError("OPTION_INVALID", message, { javaClass: NUMBER_FORMAT });
}
