import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { roaringBitmapBytes, roaringBitmapValues, ShuffleError } from "../../src/index.ts";
import { readVectors } from "../read-vectors.ts";

interface RecordedBitmap {
  readonly name: string;
  readonly optimizedHex: string;
  readonly plainHex: string | null;
  /** A union of arithmetic progressions. */
  readonly values: readonly {
    readonly start: number;
    readonly step: number;
    readonly count: number;
  }[];
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

describe("roaringBitmapValues", () => {
  it.each(RECORDED)(
    "gives the numbers of $name in both forms",
    ({ optimizedHex, plainHex, values }) => {
      const expected = new Set(
        values.flatMap(({ count, start, step }) =>
          Array.from({ length: count }, (_, index) => start + index * step),
        ),
      );
      const sorted = [...expected].toSorted((one, other) => one - other);
      for (const hex of plainHex === null ? [optimizedHex] : [optimizedHex, plainHex]) {
        const bytes = Buffer.concat([Buffer.alloc(3), Buffer.from(hex, "hex"), Buffer.alloc(5)]);
        expect([...roaringBitmapValues(bytes, 3)]).toEqual(sorted);
      }
    },
  );

  it("refuses a bitmap that is cut short before its first number", () => {
    for (const hex of FORMS) {
      const bytes = Buffer.from(hex, "hex");
      const cut = roaringBitmapValues(bytes.subarray(0, bytes.length - 1));
      expect(() => cut.next()).toThrow(ShuffleError);
    }
  });
});
