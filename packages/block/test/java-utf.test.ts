import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { javaUtfLength, readJavaUtf, writeJavaUtf } from "../src/index.ts";

describe("Java's text form", () => {
  const examples: readonly (readonly [string, string])[] = [
    ["", "0000"],
    ["A", "000141"],
    ["\0", "0002c080"],
    ["é", "0002c3a9"],
    ["中", "0003e4b8ad"],
    ["😀", "0006eda0bdedb880"],
    ["\ud83d", "0003eda0bd"],
    ["\u07ff\u0800", "0005dfbfe0a080"],
  ];
  for (const [text, hex] of examples) {
    it(`of ${JSON.stringify(text)} is ${hex}`, () => {
      const bytes = new Uint8Array(javaUtfLength(text));
      expect(writeJavaUtf(bytes, 0, text)).toBe(bytes.length);
      expect(Buffer.from(bytes).toString("hex")).toBe(hex);
      expect(readJavaUtf(bytes, 0)).toEqual({ text, end: bytes.length });
    });
  }

  it("gives back any string from any place in a buffer", () => {
    const text = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 50 });
    fc.assert(
      fc.property(text, fc.nat(5), (units, offset) => {
        const written = String.fromCharCode(...units);
        const bytes = new Uint8Array(offset + javaUtfLength(written) + 3).fill(0xaa);
        const end = writeJavaUtf(bytes, offset, written);
        expect(bytes.subarray(end)).toEqual(Uint8Array.of(0xaa, 0xaa, 0xaa));
        expect(readJavaUtf(bytes, offset)).toEqual({ text: written, end });
      }),
    );
  });

  for (const hex of ["", "00", "0001", "000180", "0001c3", "0002c341", "0002e4b8", "0001f0"]) {
    it(`refuses ${hex === "" ? "no bytes" : hex}`, () => {
      expect(() => readJavaUtf(Buffer.from(hex, "hex"), 0)).toThrow(
        expect.objectContaining({ code: "BYTES_MALFORMED" }),
      );
    });
  }

  it("refuses to start outside the bytes", () => {
    for (const offset of [-1, 3, 100]) {
      expect(() => readJavaUtf(Uint8Array.of(0, 1, 65), offset)).toThrow(
        expect.objectContaining({ code: "BYTES_MALFORMED" }),
      );
    }
  });
});
