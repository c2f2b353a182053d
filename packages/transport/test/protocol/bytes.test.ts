import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter, int64, readInt64, writeInt64 } from "../../src/index.ts";

describe("ByteWriter and ByteReader", () => {
  it("agree on every kind of field, however small the buffer begins", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 64 }),
        fc.array(fc.string({ unit: "grapheme" }), { maxLength: 5 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 50 }),
        (hint, strings, bytes, id, integers) => {
          const written = new ByteWriter(hint)
            .writeInt8(-1)
            .writeUint8(200)
            .writeBoolean(true)
            .writeInt16(-2)
            .writeUint16(65_535)
            .writeInt32(-3)
            .writeInt64(int64(id))
            .writeStringArray(strings)
            .writeByteArray(bytes)
            .writeInt32Array(integers)
            .writeInt64Array([int64(id), 5])
            .finish();
          const reader = new ByteReader(written);
          expect([reader.readInt8(), reader.readUint8(), reader.readBoolean()]).toEqual([
            -1,
            200,
            true,
          ]);
          expect([reader.readInt16(), reader.readUint16(), reader.readInt32()]).toEqual([
            -2, 65_535, -3,
          ]);
          expect(reader.readInt64()).toBe(int64(id));
          expect(reader.readStringArray()).toEqual(strings);
          expect(new Uint8Array(reader.readByteArray())).toEqual(bytes);
          expect(reader.readInt32Array()).toEqual(integers);
          expect(reader.readBigInt64Array()).toEqual([id, 5n]);
          expect(reader.remaining).toBe(0);
        },
      ),
    );
  });

  it("refuses what does not fit before anything is allocated", () => {
    for (const bytes of ["7fffffff", "ffffffff", "00000005616263"]) {
      const reader = (): ByteReader => new ByteReader(Buffer.from(bytes, "hex"));
      const malformed = expect.objectContaining({ code: "MESSAGE_MALFORMED" }) as Error;
      expect(() => reader().readString()).toThrow(malformed);
      expect(() => reader().readByteArray()).toThrow(malformed);
      expect(() => reader().readInt64Array()).toThrow(malformed);
      expect(() => reader().skip(100)).toThrow(malformed);
    }
  });

  it("write unpaired surrogates as question marks, as the JVM does", () => {
    const written = new ByteWriter().writeString("a\ud800b").finish();
    expect(new ByteReader(written).readString()).toBe("a?b");
  });
});

describe("an Int64", () => {
  for (const value of [
    0n,
    -1n,
    2n ** 53n - 1n,
    2n ** 53n,
    -(2n ** 53n),
    2n ** 63n - 1n,
    -(2n ** 63n),
  ]) {
    it(`of ${value} is exact and canonical`, () => {
      const bytes = Buffer.alloc(8);
      writeInt64(bytes, int64(value), 0);
      expect(bytes.readBigInt64BE(0)).toBe(value);
      expect(readInt64(bytes, 0)).toBe(int64(value));
      expect(typeof int64(value)).toBe(Number.isSafeInteger(Number(value)) ? "number" : "bigint");
    });
  }
});
