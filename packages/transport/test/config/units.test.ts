import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ByteUnit,
  parseByteSize,
  parseBytes,
  parseDurationMs,
  parseTime,
  type TimeUnit,
} from "../../src/config/units.ts";

interface Outcome {
  readonly value?: string;
  readonly error?: { readonly class: string; readonly message: string };
}

interface Vector extends Outcome {
  readonly fn: string;
  readonly unit?: string;
  readonly input: string;
  /** What releases from 4.2 do, where they differ. */
  readonly v430?: Outcome;
}

const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, "../vectors/units.json"), "utf8"),
) as readonly Vector[];

const BYTE_UNITS: Readonly<Record<string, ByteUnit>> = {
  BYTE: "B",
  byteStringAsBytes: "B",
  byteStringAsKb: "KiB",
  byteStringAsMb: "MiB",
  byteStringAsGb: "GiB",
  KiB: "KiB",
  MiB: "MiB",
  GiB: "GiB",
  TiB: "TiB",
  PiB: "PiB",
};

const TIME_UNITS: Readonly<Record<string, TimeUnit>> = {
  MICROSECONDS: "us",
  MILLISECONDS: "ms",
  SECONDS: "s",
  MINUTES: "min",
  timeStringAsMs: "ms",
  timeStringAsSec: "s",
};

describe("sizes and times", () => {
  it("are read as Spark reads them, with the same error texts", () => {
    expect(vectors.length).toBe(548);
    const wrong = vectors.filter((vector) => {
      // The suffixes of newer releases are accepted; texts of errors stay those of 4.1.
      const expected = vector.v430?.value === undefined ? vector : vector.v430;
      return JSON.stringify(outcomeOf(vector)) !== JSON.stringify(onlyOutcome(expected));
    });
    expect(wrong).toEqual([]);
  });

  it("come as numbers, in bytes and milliseconds, whatever unit a bare number has", () => {
    expect(parseByteSize("64k")).toBe(65_536);
    expect(parseByteSize("128", "MiB")).toBe(134_217_728);
    expect(parseByteSize("128b", "MiB")).toBe(128);
    expect(parseDurationMs("250")).toBe(250);
    expect(parseDurationMs("120", "s")).toBe(120_000);
    expect(parseDurationMs("500ms", "s")).toBe(500);
    expect(parseDurationMs("-1500us")).toBe(-1);
  });

  it("are clamped where a number cannot hold them", () => {
    expect(parseByteSize("8191p")).toBe(Number.MAX_SAFE_INTEGER);
    expect(parseDurationMs("9223372036854775807d")).toBe(Number.MAX_SAFE_INTEGER);
    expect(parseDurationMs("-9223372036854775807d")).toBe(Number.MIN_SAFE_INTEGER);
  });

  it("read any text to a value or an error of ours", () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[-+ ]?[0-9]{0,25}[.,]?[a-z]{0,4} ?$/));
    fc.assert(
      fc.property(text, (input) => {
        for (const read of [parseByteSize, parseDurationMs]) {
          try {
            expect(Number.isSafeInteger(read(input))).toBe(true);
          } catch (error) {
            expect(error).toMatchObject({ code: "OPTION_INVALID" });
          }
        }
      }),
    );
  });
});

function outcomeOf(vector: Vector): Outcome {
  try {
    return { value: read(vector).toString() };
  } catch (error) {
    const { javaClass, message } = error as { javaClass: string; message: string };
    return { error: { class: javaClass, message } };
  }
}

function read({ fn, unit = fn, input }: Vector): bigint {
  if (fn.startsWith("byte")) return parseBytes(input, BYTE_UNITS[unit] ?? "B");
  return parseTime(input, TIME_UNITS[unit] ?? "us");
}

function onlyOutcome({ value, error }: Outcome): Outcome {
  return value === undefined ? { error: error ?? { class: "", message: "" } } : { value };
}
