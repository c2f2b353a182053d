import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  Adler32,
  CHECKSUM_ALGORITHMS,
  Crc32,
  Crc32C,
  createChecksum,
  lz4Decompress,
} from "../src/index.ts";
import { failureOf } from "./failure-of.ts";
import { chunksOf, randomBytes } from "./inputs.ts";
import recorded from "./vectors/shuffle-checksums.json" with { type: "json" };

describe("checksums agree with the JVM", () => {
  it.each(recorded)("$algorithm of $name", ({ name, algorithm, length, value, dataHex }) => {
    const bytes = dataHex === undefined ? madeInput(name) : Buffer.from(dataHex, "hex");
    expect(bytes).toHaveLength(length);
    expect(createChecksum(algorithm).update(bytes).value).toBe(Number(value));
  });
});

describe("checksums of map outputs that Spark wrote", () => {
  const outputs: readonly (readonly [string, string])[] = [
    ["lz4", "ADLER32"],
    ["plain", "ADLER32"],
    ["kryo", "CRC32"],
    ["lz4-crc32c", "CRC32C"],
  ];
  it.each(outputs)("%s: the %s of each partition is right", (name, algorithm) => {
    const expected = longs(mapOutput(`${name}.checksum.${algorithm}`));
    const found = partitions(name).map((partition) =>
      BigInt(createChecksum(algorithm).update(partition).value),
    );
    expect(found).toEqual(expected);
  });

  it("and each compressed partition holds what the plain file has", () => {
    const plain = partitions("plain");
    const decompressed = partitions("lz4").map((partition) => lz4Decompress(partition));
    expect(decompressed.map((bytes) => Buffer.from(bytes))).toEqual(plain);
  });
});

describe.each(CHECKSUM_ALGORITHMS)("%s", (algorithm) => {
  it("does not depend on how the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        (bytes, n) => {
          const checksum = createChecksum(algorithm);
          for (const chunk of chunksOf(bytes, n)) checksum.update(chunk);
          expect(checksum.value).toBe(createChecksum(algorithm).update(bytes).value);
        },
      ),
    );
  });

  it("agrees with its definition, one bit or byte at a time", () => {
    for (const length of [1, 7, 8, 9, 3854, 3855, 20_000]) {
      for (const bytes of [randomBytes(length, 11), Buffer.alloc(length, 0xff)]) {
        expect(createChecksum(algorithm).update(bytes).value).toBe(defined(algorithm, bytes));
      }
    }
  });

  it("starts again after a reset", () => {
    const checksum = createChecksum(algorithm).update(randomBytes(100, 1));
    checksum.reset();
    expect(checksum.value).toBe(createChecksum(algorithm).value);
    expect(checksum.algorithm).toBe(algorithm);
  });
});

describe.each([
  ["as Node brings it", "1"],
  ["in JavaScript alone", "0"],
])("Adler32 %s", (_, native) => {
  let create: () => Adler32;
  beforeEach(async () => {
    vi.stubEnv("BM_NATIVE", native);
    vi.resetModules();
    const checksums = await import("../src/checksum/index.ts");
    create = () => new checksums.Adler32();
  });
  afterEach(() => vi.unstubAllEnvs());

  it("does not overflow where both sums start at their largest and all bytes are 255", () => {
    // 256 · 255 + 239 brings the lower sum to 65,520; each zero then takes one from the upper sum.
    const ones = Buffer.concat([Buffer.alloc(256, 0xff), Buffer.of(239)]);
    const zeros = Buffer.alloc((Math.floor(adler32ByDefinition(ones) / 65_536) + 1) % 65_521);
    const largest = create().update(ones).update(zeros);
    expect(largest.value).toBe(65_520 * 65_536 + 65_520);
    const rest = Buffer.alloc(10_000, 0xff);
    expect(largest.update(rest).value).toBe(
      adler32ByDefinition(Buffer.concat([ones, zeros, rest])),
    );
  });

  it("agrees with its definition at every place in memory, and for every length of a last piece", () => {
    const bytes = randomBytes(9000, 5);
    for (let start = 0; start < 70; start += 1) {
      const piece = bytes.subarray(start, bytes.length - 2 * start);
      expect(create().update(piece).value).toBe(adler32ByDefinition(piece));
    }
  });
});

describe("createChecksum", () => {
  it("finds an algorithm by its name in any case", () => {
    expect(createChecksum("adler32")).toBeInstanceOf(Adler32);
    expect(createChecksum("CRC32")).toBeInstanceOf(Crc32);
    expect(createChecksum("Crc32C")).toBeInstanceOf(Crc32C);
  });

  it.each(["", "MD5", "CRC-32", "constructor"])('refuses "%s" and names what there is', (name) => {
    const failure = failureOf(() => createChecksum(name));
    expect(failure.code).toBe("CHECKSUM_NOT_AVAILABLE");
    expect(failure.message).toContain("ADLER32, CRC32, CRC32C");
  });
});

function mapOutput(file: string): Buffer {
  return readFileSync(join(import.meta.dirname, "vectors", "map-outputs", file));
}

function longs(bytes: Buffer): bigint[] {
  return chunksOf(bytes, 8).map((entry) => Buffer.from(entry).readBigInt64BE());
}

function partitions(name: string): Buffer[] {
  const data = mapOutput(`${name}.data`);
  const offsets = longs(mapOutput(`${name}.index`)).map(Number);
  return offsets.slice(1).map((end, index) => data.subarray(offsets[index], end));
}

function madeInput(name: string): Buffer {
  return name === "ff-6000" ? Buffer.alloc(6000, 0xff) : javaRandomBytes(9000, 42n);
}

/** `new java.util.Random(seed).nextBytes(…)`: a linear congruential generator of 48 bits. */
function javaRandomBytes(length: number, seed: bigint): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed ^ 0x5deece66dn;
  for (let index = 0; index < length; index += 4) {
    state = BigInt.asUintN(48, state * 0x5deece66dn + 11n);
    bytes.writeUInt32LE(Number(state >> 16n), index);
  }
  return bytes;
}

function defined(algorithm: string, bytes: Uint8Array): number {
  if (algorithm === "ADLER32") return adler32ByDefinition(bytes);
  return crcByDefinition(bytes, algorithm === "CRC32" ? 0xedb8_8320 : 0x82f6_3b78);
}

function adler32ByDefinition(bytes: Uint8Array): number {
  let lower = 1;
  let upper = 0;
  for (const byte of bytes) {
    lower = (lower + byte) % 65_521;
    upper = (upper + lower) % 65_521;
  }
  return upper * 65_536 + lower;
}

function crcByDefinition(bytes: Uint8Array, polynomial: number): number {
  let state = -1;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? polynomial : 0);
  }
  return ~state >>> 0;
}
