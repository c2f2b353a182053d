import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordReader } from "../../src/serializer/record-reader.ts";
import { RecordWriter } from "../../src/serializer/record-writer.ts";
import {
  bytesField,
  countField,
  doubleField,
  type Field,
  stringField,
} from "../../src/serializer/serializer.ts";
import { StorageError } from "../../src/storage-error.ts";

describe("records", () => {
  it("come back the same however their bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: "grapheme", maxLength: 200 }), fc.maxSafeNat())),
        fc.integer({ min: 1, max: 50 }),
        (records, pieceBytes) => {
          expect(readAll(writeAll(records), pieceBytes)).toEqual(records);
        },
      ),
    );
  });

  it("may be larger than many pieces", () => {
    const text = "a longer text ".repeat(20_000);
    expect(readAll(writeAll([[text, 1]]), 1000)).toEqual([[text, 1]]);
  });

  for (const length of [0, 1, 47, 48, 49, 126, 127, 128, 16_383, 16_384]) {
    it(`carry a text of ${length} characters`, () => {
      const records: [string, number][] = [
        ["é".repeat(length), length],
        ["a".repeat(length), 0],
      ];
      expect(readAll(writeAll(records), 7)).toEqual(records);
    });
  }

  it("give data or one typed error for any bytes at all", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          readAll(bytes, 5);
        } catch (error) {
          expect(error).toBeInstanceOf(StorageError);
          expect(error).toMatchObject({ code: "RECORD_MALFORMED" });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("are refused when one of them breaks off", () => {
    const bytes = writeAll([
      ["complete", 1],
      ["cut", 2],
    ]);
    expect(() => readAll(bytes.subarray(0, bytes.length - 1), 100)).toThrow(/incomplete record/);
  });

  for (const value of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    it(`refuse ${value} as a count, and leave no trace of it`, () => {
      const writer = new RecordWriter();
      writer.beginRecord();
      stringField.write(writer, "refused");
      expect(() => countField.write(writer, value)).toThrow(
        expect.objectContaining({ code: "VALUE_INVALID" }),
      );
      writer.beginRecord();
      stringField.write(writer, "kept");
      countField.write(writer, 1);
      writer.endRecord();
      expect(readAll(writer.bytes, 100)).toEqual([["kept", 1]]);
    });
  }

  it("carry fields of every kind", () => {
    expect(roundTrip(doubleField, -1.5e300)).toBe(-1.5e300);
    expect(roundTrip(bytesField, Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(1, 2, 3));
    expect(roundTrip(countField, Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
  });
});

function roundTrip<Value>(field: Field<Value>, value: Value): Value {
  const writer = new RecordWriter();
  writer.beginRecord();
  field.write(writer, value);
  writer.endRecord();
  const reader = new RecordReader();
  reader.push(writer.bytes);
  expect(reader.nextRecord()).toBe(true);
  const result = field.read(reader);
  reader.endRecord();
  reader.finish();
  return result;
}

function writeAll(records: readonly (readonly [string, number])[]): Uint8Array {
  const writer = new RecordWriter();
  for (const [key, value] of records) {
    writer.beginRecord();
    stringField.write(writer, key);
    countField.write(writer, value);
    writer.endRecord();
  }
  return Uint8Array.from(writer.bytes);
}

function readAll(bytes: Uint8Array, pieceBytes: number): [string, number][] {
  const reader = new RecordReader();
  const records: [string, number][] = [];
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) {
    const piece = Uint8Array.from(bytes.subarray(offset, offset + pieceBytes));
    reader.push(piece);
    while (reader.nextRecord()) {
      records.push([stringField.read(reader), countField.read(reader)]);
      reader.endRecord();
    }
    // Files are read into buffers that take turns.
    piece.fill(0xff);
  }
  reader.finish();
  return records;
}
