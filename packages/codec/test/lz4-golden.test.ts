import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type DecodeOptions,
  Lz4BlockDecoder,
  Lz4BlockEncoder,
  lz4Compress,
  lz4Decompress,
} from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { chunksOf, concatInputs, INPUTS, randomBytes } from "./inputs.ts";
import manifest from "./vectors/codecs/manifest.json" with { type: "json" };

const FILES = manifest.files.filter(({ codec }) => codec === "lz4");

describe("the inputs of the recorded streams", () => {
  it.each(manifest.inputs)("$name are made right", ({ name, length, sha256 }) => {
    expect(INPUTS[name]).toHaveLength(length);
    expect(sha256Of(INPUTS[name] ?? Buffer.alloc(0))).toBe(sha256);
  });
});

describe("streams that Spark wrote", () => {
  it.each(FILES)("$file decompresses exactly", ({ file, plainLength, plainSha256 }) => {
    const plain = lz4Decompress(recorded(file));
    expect(plain).toHaveLength(plainLength);
    expect(sha256Of(plain)).toBe(plainSha256);
  });

  it.each(FILES)("$file decompresses exactly in pieces of any size", ({ file, plain }) => {
    const bytes = recorded(file);
    for (const length of [1, 20, 21, 22, 1000, 32_789, bytes.length]) {
      const decoder = new Lz4BlockDecoder();
      const pieces = chunksOf(bytes, length).flatMap((chunk) => [...decoder.push(chunk)]);
      expect(decoder.finish()).toEqual([]);
      expect(Buffer.concat(pieces).equals(concatInputs(plain))).toBe(true);
    }
  });
});

describe("streams that we write", () => {
  it.each(FILES)("have the blocks of $file, apart from the compressed bytes", (vector) => {
    const { file, plain, conf } = vector;
    const options = { blockBytes: blockBytesOf(conf) };
    const ours = Buffer.concat(plain.map((name) => lz4Compress(concatInputs([name]), options)));
    expect(headersOf(ours)).toEqual(headersOf(recorded(file)));
    expect(lz4Decompress(ours)).toEqual(concatInputs(plain));
  });

  it("are the recorded bytes where nothing could be compressed", () => {
    for (const file of ["lz4-empty.bin", "lz4-one.bin", "lz4-rand65537.bin"]) {
      const { plain } = FILES.find((vector) => vector.file === file) ?? { plain: [] };
      expect(Buffer.from(lz4Compress(concatInputs(plain))).equals(recorded(file))).toBe(true);
    }
  });

  it("do not depend on how the input was cut", () => {
    const plain = concatInputs(["lines307200", "rand65537"]);
    const whole = lz4Compress(plain);
    for (const length of [1000, 32_767, 32_768, 32_769, 100_000]) {
      const encoder = new Lz4BlockEncoder();
      const pieces = chunksOf(plain, length).flatMap((chunk) => encoder.push(chunk));
      expect(Buffer.concat([...pieces, ...encoder.finish()]).equals(whole)).toBe(true);
    }
  });
});

describe("a damaged stream", () => {
  const stream = recorded("lz4-lines307200.bin");
  const incompressible = recorded("lz4-rand65537.bin");
  const firstBlockEnd = 21 + 32_768;
  const damaged: Readonly<Record<string, Uint8Array>> = {
    emptyFile: Buffer.alloc(0),
    firstByteFlipped: flipped(stream, 0),
    middleFlipped: flipped(stream, stream.length >> 1),
    cutLastByte: stream.subarray(0, -1),
    cutLast22Bytes: stream.subarray(0, -22),
    cutHalf: stream.subarray(0, stream.length >> 1),
    trailingZeroByte: Buffer.concat([stream, Buffer.alloc(1)]),
    trailingGarbage32: Buffer.concat([stream, randomBytes(32, 7)]),
    "rand65537 cut at first block end +0": incompressible.subarray(0, firstBlockEnd),
    "rand65537 cut at first block end +1": incompressible.subarray(0, firstBlockEnd + 1),
    "rand65537 cut at first block end +20": incompressible.subarray(0, firstBlockEnd + 20),
    "rand65537 cut at first block end +21": incompressible.subarray(0, firstBlockEnd + 21),
    "rand65537 cut at first block end +22": incompressible.subarray(0, firstBlockEnd + 22),
  };
  const cases = manifest.damage.filter(({ codec }) => codec === "lz4");

  it.each(cases)("($case) is judged as Spark does, if asked to: $result", (vector) => {
    expect(damaged[vector.case]).toBeDefined();
    const verdict = verdictOf(damaged[vector.case] ?? Buffer.alloc(0), { allowMissingEnd: true });
    expect(verdict).toBe(expectedVerdict(vector.result));
  });

  it.each(cases.filter(({ result }) => result.startsWith("ok")))(
    "($case) is refused unless asked otherwise, though Spark takes it",
    (vector) => {
      const expected = vector.case === "emptyFile" ? "ok 0" : "java.io.EOFException";
      expect(verdictOf(damaged[vector.case] ?? Buffer.alloc(0), {})).toBe(expected);
    },
  );
});

function recorded(file: string): Buffer {
  return readFileSync(join(import.meta.dirname, "vectors", "codecs", file));
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function blockBytesOf(conf: Readonly<Record<string, string | undefined>>): number {
  const text = conf["spark.io.compression.lz4.blockSize"] ?? "32k";
  return Number.parseInt(text, 10) * (text.endsWith("k") ? 1024 : 1);
}

/** What the 21 bytes before each block say, without the stored length of compressed blocks. */
function headersOf(stream: Buffer): unknown[] {
  const headers: unknown[] = [];
  let offset = 0;
  while (offset < stream.length) {
    const isCompressed = (stream.readUInt8(offset + 8) & 0xf0) === 0x20;
    const storedBytes = stream.readInt32LE(offset + 9);
    headers.push({
      magic: stream.toString("latin1", offset, offset + 8),
      token: stream.readUInt8(offset + 8),
      storedBytes: isCompressed ? "any" : storedBytes,
      plainBytes: stream.readInt32LE(offset + 13),
      checksum: stream.readUInt32LE(offset + 17),
    });
    offset += 21 + storedBytes;
  }
  return headers;
}

function flipped(bytes: Uint8Array, index: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(index) ^ 0xff, index);
  return copy;
}

/** The number of plain bytes, or the Java class of the failure. */
function verdictOf(bytes: Uint8Array, options: DecodeOptions): string {
  let length = -1;
  try {
    length = lz4Decompress(bytes, options).length;
  } catch {
    return failureOf(() => lz4Decompress(bytes, options)).javaClass;
  }
  return `ok ${length}`;
}

function expectedVerdict(result: string): string {
  const length = /^ok bytes=(\d+)/.exec(result)?.[1];
  return length === undefined ? result.replace(/:.*/, "") : `ok ${length}`;
}
