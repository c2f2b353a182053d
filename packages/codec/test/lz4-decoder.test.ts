import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CodecError,
  Lz4BlockDecoder,
  Lz4BlockEncoder,
  lz4Compress,
  lz4Decompress,
} from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { chunksOf, lines, randomBytes } from "./inputs.ts";

const plain = lines(100);
const stream = Buffer.from(lz4Compress(plain));
/** One raw block of 2,000 bytes, which takes level 1. */
const levelOneStream = Buffer.from(lz4Compress(randomBytes(2000, 1), { blockBytes: 2048 }));
const rawStream = Buffer.from(lz4Compress(randomBytes(100, 1)));

describe("lz4Decompress refuses", () => {
  const faults: readonly (readonly [string, Buffer])[] = [
    ["another magic", changed(stream, (b) => b.write("LZ5Block"))],
    ["a magic that is wrong in its last byte", changed(stream, (b) => b.write("LZ4Blocl"))],
    ["method 0", changed(stream, (b) => b.writeUInt8(0x05, 8))],
    ["method 3", changed(stream, (b) => b.writeUInt8(0x35, 8))],
    ["a negative stored length", changed(stream, (b) => b.writeInt32LE(-1, 9))],
    ["a negative plain length", changed(stream, (b) => b.writeInt32LE(-1, 13))],
    ["a stored length of zero", changed(stream, (b) => b.writeInt32LE(0, 9))],
    ["a plain length of zero", changed(stream, (b) => b.writeInt32LE(0, 13))],
    [
      "more plain bytes than the level allows",
      changed(levelOneStream, (b) => b.writeUInt8(0x10, 8)),
    ],
    ["raw data with two lengths", changed(rawStream, (b) => b.writeInt32LE(101, 13))],
    ["more data than LZ4 makes of it", changed(stream, (b) => b.writeInt32LE(20, 13))],
    ["less data than LZ4 needs for it", changed(stream, (b) => b.writeInt32LE(0x7fff, 13))],
    ["a plain length that is one too small", changed(stream, (b) => b.writeInt32LE(99, 13))],
    ["a plain length that is one too big", changed(stream, (b) => b.writeInt32LE(101, 13))],
    ["data that reaches before the block", changed(stream, (b) => b.fill(0, 21, 31))],
    ["an end mark with a checksum", changed(stream, (b) => b.writeInt32LE(1, b.length - 4))],
    ["32 bytes behind the end mark", Buffer.concat([stream, randomBytes(32, 7)])],
  ];

  it.each(faults)("%s", (_, bytes) => {
    const failure = failureOf(() => lz4Decompress(bytes));
    expect(failure.code).toBe("STREAM_CORRUPT");
    expect(failureOf(() => lz4Decompress(bytes, { allowMissingEnd: true })).code).toBe(
      "STREAM_CORRUPT",
    );
    expect(inPieces(bytes).failure).toBe("STREAM_CORRUPT");
  });

  const mismatches: readonly (readonly [string, Buffer])[] = [
    ["another checksum", changed(stream, (b) => b.writeUInt8(b.readUInt8(17) ^ 1, 17))],
    [
      "a checksum with a bit in its upper half byte",
      changed(stream, (b) => b.writeUInt8(0x80, 20)),
    ],
    [
      "a changed byte of raw data",
      changed(rawStream, (b) => b.writeUInt8(b.readUInt8(21) ^ 1, 21)),
    ],
  ];

  it.each(mismatches)("%s", (_, bytes) => {
    expect(failureOf(() => lz4Decompress(bytes)).code).toBe("CHECKSUM_MISMATCH");
    expect(inPieces(bytes).failure).toBe("CHECKSUM_MISMATCH");
  });

  it("a stream that is cut anywhere, except before its first byte", () => {
    const two = Buffer.concat([stream, rawStream]);
    for (let length = 1; length < two.length; length++) {
      if (length === stream.length) continue;
      const cut = two.subarray(0, length);
      expect(failureOf(() => lz4Decompress(cut)).code).toBe("STREAM_TRUNCATED");
      expect(inPieces(cut).failure).toBe("STREAM_TRUNCATED");
    }
    expect(lz4Decompress(Buffer.alloc(0))).toHaveLength(0);
    expect(lz4Decompress(two.subarray(0, stream.length))).toEqual(plain);
  });

  it("and names the block that is wrong", () => {
    const second = changed(stream, (b) => b.writeUInt8(b.readUInt8(17) ^ 1, 17));
    const failure = failureOf(() => lz4Decompress(Buffer.concat([stream, second])));
    expect(failure.message).toContain(`block at byte ${stream.length}`);
    expect(failure.javaClass).toBe("java.io.IOException");
  });
});

describe("the limit on decompressed bytes", () => {
  const twice = Buffer.concat([stream, stream]);

  it("lets through what fits exactly", () => {
    expect(lz4Decompress(twice, { maxBytes: 200 })).toHaveLength(200);
    expect(inPieces(twice, 200).length).toBe(200);
    expect(lz4Decompress(lz4Compress(Buffer.alloc(0)), { maxBytes: 0 })).toHaveLength(0);
  });

  it("refuses one byte more", () => {
    expect(failureOf(() => lz4Decompress(twice, { maxBytes: 199 })).code).toBe("OUTPUT_TOO_LARGE");
    expect(inPieces(twice, 199)).toEqual({ length: 100, failure: "OUTPUT_TOO_LARGE" });
  });

  it("is 1 GiB for a single array, and judged before any of it is allocated", () => {
    const block = Buffer.from(lz4Compress(Buffer.alloc(32 << 20), { blockBytes: 32 << 20 }));
    const bomb = Buffer.concat(Array.from({ length: 33 }, () => block));
    const before = process.memoryUsage().arrayBuffers;
    expect(failureOf(() => lz4Decompress(bomb)).code).toBe("OUTPUT_TOO_LARGE");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  });

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("cannot be %s", (maxBytes) => {
    expect(failureOf(() => lz4Decompress(stream, { maxBytes })).code).toBe("OPTION_INVALID");
    expect(failureOf(() => new Lz4BlockDecoder({ maxBytes })).code).toBe("OPTION_INVALID");
  });
});

describe("Lz4BlockDecoder", () => {
  it("makes room for bytes that came, not for bytes that were promised", () => {
    const header = Buffer.alloc(21);
    header.write("LZ4Block");
    header.writeUInt8(0x1f, 8);
    header.writeInt32LE(32 << 20, 9);
    header.writeInt32LE(32 << 20, 13);
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 100 }, () => new Lz4BlockDecoder());
    for (const decoder of decoders) expect([...decoder.push(header)]).toEqual([]);
    for (const decoder of decoders) expect([...decoder.push(Buffer.alloc(1000))]).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
    expect(failureOf(() => decoders[0]?.finish()).code).toBe("STREAM_TRUNCATED");
  });

  it.each([
    ["more than LZ4 makes of it", 50_000, 32_768],
    ["less than LZ4 needs for it", 1, 256],
    ["right, but its plain length above the level", 30_000, 32_769],
    ["nothing", 0, 100],
  ])("refuses at the header a block whose stored length is %s", (_, storedBytes, plainBytes) => {
    const header = Buffer.from(stream.subarray(0, 21));
    header.writeInt32LE(storedBytes, 9);
    header.writeInt32LE(plainBytes, 13);
    const decoder = new Lz4BlockDecoder();
    expect(failureOf(() => [...decoder.push(header)]).code).toBe("STREAM_CORRUPT");
  });

  it("gives one block at a time, while they are taken", () => {
    const many = lz4Compress(Buffer.alloc(64 << 20));
    const decoder = new Lz4BlockDecoder();
    const pieces = decoder.push(many)[Symbol.iterator]();
    expect(pieces.next().value).toHaveLength(32_768);
    expect(failureOf(() => decoder.push(stream)).code).toBe("STREAM_STATE_INVALID");
    expect(failureOf(() => decoder.finish()).code).toBe("STREAM_STATE_INVALID");
  });

  it("does not lose input whose pieces nobody took", () => {
    const decoder = new Lz4BlockDecoder();
    decoder.push(stream);
    expect(failureOf(() => decoder.finish()).code).toBe("STREAM_STATE_INVALID");
  });

  it("cannot be used after its end", () => {
    const decoder = new Lz4BlockDecoder();
    expect(decoder.finish()).toEqual([]);
    expect(failureOf(() => decoder.push(stream)).code).toBe("STREAM_STATE_INVALID");
    expect(failureOf(() => decoder.finish()).code).toBe("STREAM_STATE_INVALID");
  });

  it("cannot be used after a failure", () => {
    const decoder = new Lz4BlockDecoder();
    expect(failureOf(() => [...decoder.push(randomBytes(50, 3))]).code).toBe("STREAM_CORRUPT");
    expect(failureOf(() => [...decoder.push(stream)]).code).toBe("STREAM_STATE_INVALID");
    expect(failureOf(() => decoder.finish()).code).toBe("STREAM_STATE_INVALID");
  });

  it("leaves its input as it was and gives pieces of its own", () => {
    const input = Buffer.concat([stream, rawStream]);
    const copy = Buffer.from(input);
    const decoder = new Lz4BlockDecoder();
    const pieces = [...decoder.push(input)];
    expect(input.equals(copy)).toBe(true);
    input.fill(0);
    expect(Buffer.concat(pieces)).toEqual(Buffer.concat([plain, randomBytes(100, 1)]));
  });

  it("gives back any input, however both sides were cut", () => {
    const pieceOfInput = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.nat(255), fc.nat(5000)).map(([byte, n]) => new Uint8Array(n).fill(byte)),
      fc.nat(5000).map((length) => lines(length)),
    );
    const streams = fc.array(fc.array(pieceOfInput, { maxLength: 5 }), { maxLength: 3 });
    const cut = fc.integer({ min: 1, max: 3000 });
    fc.assert(
      fc.property(
        streams,
        fc.integer({ min: 64, max: 4096 }),
        cut,
        (inputs, blockBytes, length) => {
          const compressed = inputs.map((pieces) => {
            const encoder = new Lz4BlockEncoder({ blockBytes });
            const blocks = pieces.flatMap((piece) => encoder.push(piece));
            return Buffer.concat([...blocks, ...encoder.finish()]);
          });
          const bytes = Buffer.concat(compressed);
          const decoder = new Lz4BlockDecoder();
          const decoded = chunksOf(bytes, length).flatMap((chunk) => [...decoder.push(chunk)]);
          decoder.finish();
          const expected = Buffer.concat(inputs.flat());
          expect(Buffer.concat(decoded).equals(expected)).toBe(true);
          expect(expected.equals(lz4Decompress(bytes))).toBe(true);
        },
      ),
    );
  });

  it("makes of any bytes data or one error, the same in one go and in pieces", () => {
    const base = Buffer.from(lz4Compress(lines(2000), { blockBytes: 512 }));
    const edit = fc.record({
      at: fc.nat(base.length),
      cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(40)),
      insert: fc.uint8Array({ maxLength: 3 }),
      isInPlace: fc.boolean(),
    });
    const edited = fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) =>
      edits.reduce<Buffer>((bytes, { at, cut, insert, isInPlace }) => {
        const end = at + (isInPlace ? insert.length : cut);
        return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(end)]);
      }, base),
    );
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array(), edited),
        fc.integer({ min: 1, max: 99 }),
        (bytes, n) => {
          const whole = inPieces(bytes, undefined, Math.max(1, bytes.length));
          expect(inPieces(bytes, undefined, n)).toEqual(whole);
          if (whole.failure === null) return lz4Decompress(bytes).length === whole.length;
          return failureOf(() => lz4Decompress(bytes)).code === whole.failure;
        },
      ),
      { numRuns: 3000 },
    );
  });
});

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

/** How much came out of a decoder before it ended or failed. */
function inPieces(
  bytes: Uint8Array,
  maxBytes?: number,
  chunkLength = 7,
): { length: number; failure: string | null } {
  const decoder = new Lz4BlockDecoder(maxBytes === undefined ? {} : { maxBytes });
  let length = 0;
  try {
    for (const chunk of chunksOf(bytes, chunkLength)) {
      for (const piece of decoder.push(chunk)) length += piece.length;
    }
    decoder.finish();
    return { length, failure: null };
  } catch (error) {
    if (error instanceof CodecError) return { length, failure: error.code };
    throw error;
  }
}
