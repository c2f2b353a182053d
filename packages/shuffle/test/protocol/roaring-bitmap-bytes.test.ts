import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { roaringBitmapBytes, ShuffleError } from "../../src/index.ts";
import { readVectors } from "../read-vectors.ts";

interface RecordedBitmap {
  readonly name: string;
  readonly optimizedHex: string;
  readonly plainHex: string | null;
}

/** Made by the library that Spark uses. */
const RECORDED = readVectors("roaring.json") as RecordedBitmap[];
const FORMS = RECORDED.flatMap(({ optimizedHex, plainHex }) => [
  optimizedHex,
  plainHex ?? [],
]).flat();

describe("roaringBitmapBytes", () => {
  it.each(RECORDED)("finds the end of $name in both forms", ({ optimizedHex, plainHex }) => {
    for (const hex of plainHex === null ? [optimizedHex] : [optimizedHex, plainHex]) {
      const bytes = Buffer.from(hex, "hex");
      expect(roaringBitmapBytes(bytes)).toBe(bytes.length);
    }
  });

  it("walks over bitmaps that stand back to back", () => {
    const all = Buffer.concat(FORMS.map((hex) => Buffer.from(hex, "hex")));
    let at = 0;
    for (const hex of FORMS) {
      expect(roaringBitmapBytes(all, at)).toBe(hex.length / 2);
      at += hex.length / 2;
    }
    expect(at).toBe(all.length);
  });

  it("refuses a bitmap that is cut short anywhere in its first kilobyte", () => {
    for (const hex of FORMS) {
      const bytes = Buffer.from(hex, "hex");
      for (let length = 0; length < Math.min(bytes.length, 1024); length += 7) {
        expect(() => roaringBitmapBytes(bytes.subarray(0, length))).toThrow(ShuffleError);
      }
    }
  });

  it("gives a size inside the bytes, or a typed error, for any bytes", () => {
    const cookie = fc.constantFrom([0x3a, 0x30, 0, 0], [0x3b, 0x30, 0, 0], [0x3b, 0x30, 9, 0]);
    fc.assert(
      fc.property(cookie, fc.uint8Array({ maxLength: 200 }), (start, rest) => {
        const bytes = Uint8Array.of(...start, ...rest);
        try {
          expect(roaringBitmapBytes(bytes)).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          if (!(error instanceof ShuffleError)) throw error;
          expect(error.code).toBe("MESSAGE_MALFORMED");
        }
      }),
      { numRuns: 2000 },
    );
  });
});
