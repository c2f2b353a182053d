import { describe, expect, it } from "vitest";
import { Lz4BlockEncoder, lz4Compress, lz4Decompress } from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { lines, randomBytes } from "./inputs.ts";

const END_MARK_BYTES = 21;

describe("Lz4BlockEncoder", () => {
  it("gives a block as soon as it is full, as one piece, and holds the rest", () => {
    const encoder = new Lz4BlockEncoder({ blockBytes: 64 });
    expect(encoder.push(randomBytes(63, 1))).toEqual([]);
    expect(encoder.push(randomBytes(1, 2))).toHaveLength(1);
    expect(encoder.push(randomBytes(200, 3)).map((block) => block.length)).toEqual([85, 85, 85]);
    expect(encoder.finish().map((block) => block.length)).toEqual([21 + 8, END_MARK_BYTES]);
  });

  it("writes no empty block where the input ends with a full one", () => {
    const encoder = new Lz4BlockEncoder({ blockBytes: 64 });
    expect(encoder.push(randomBytes(128, 1))).toHaveLength(2);
    expect(encoder.push(new Uint8Array(0))).toEqual([]);
    expect(encoder.finish().map((block) => block.length)).toEqual([END_MARK_BYTES]);
  });

  it("keeps nothing of the caller's bytes and gives out nothing that it keeps", () => {
    const input = Buffer.concat([lines(150), randomBytes(150, 9)]);
    const copy = Buffer.from(input);
    const encoder = new Lz4BlockEncoder({ blockBytes: 64 });
    const pieces = [...encoder.push(input)];
    expect(input.equals(copy)).toBe(true);
    input.fill(0);
    pieces.push(...encoder.push(input), ...encoder.finish());
    expect(lz4Decompress(Buffer.concat(pieces))).toEqual(Buffer.concat([copy, input]));
  });

  const tokens: readonly (readonly [number, number])[] = [
    [64, 0x10],
    [1024, 0x10],
    [1025, 0x11],
    [2048, 0x11],
    [32 * 1024, 0x15],
    [32 * 1024 + 1, 0x16],
    [32 * 1024 * 1024, 0x1f],
  ];
  it.each(tokens)("marks a block size of %i with the token %i", (blockBytes, token) => {
    expect(lz4Compress(Buffer.alloc(0), { blockBytes })[8]).toBe(token);
  });

  it.each([63, 32 * 1024 * 1024 + 1, 0, -1, 100.5, Number.NaN])(
    "refuses a block size of %s",
    (blockBytes) => {
      expect(failureOf(() => new Lz4BlockEncoder({ blockBytes })).code).toBe("OPTION_INVALID");
      expect(failureOf(() => lz4Compress(lines(1), { blockBytes })).code).toBe("OPTION_INVALID");
    },
  );

  it("cannot be used after its end", () => {
    const encoder = new Lz4BlockEncoder();
    encoder.finish();
    expect(failureOf(() => encoder.push(lines(1))).code).toBe("STREAM_STATE_INVALID");
    expect(failureOf(() => encoder.finish()).code).toBe("STREAM_STATE_INVALID");
  });
});

describe("lz4Compress", () => {
  it("never grows its input by more than a header for each block and the end mark", () => {
    for (const length of [0, 1, 32_768, 32_769, 100_000]) {
      const blocks = Math.ceil(length / 32_768);
      expect(lz4Compress(randomBytes(length, 5))).toHaveLength(length + 21 * blocks + 21);
    }
  });

  it("reads a view of a larger buffer at its place", () => {
    const view = new Uint8Array(lines(1000).buffer.slice(0), 3, 500);
    expect(lz4Decompress(lz4Compress(view))).toEqual(Buffer.from(view));
  });
});
