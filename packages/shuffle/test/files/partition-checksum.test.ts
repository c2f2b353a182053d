import { BytesManagedBuffer } from "@bm/transport";
import { describe, expect, it } from "vitest";
import { checksumOf, partitionChecksum } from "../../src/files/partition-checksum.ts";
import { readVectors } from "../read-vectors.ts";

interface Recorded {
  readonly name: string;
  readonly algorithm: string;
  readonly length: number;
  readonly value: string;
  readonly fileEntryHex: string;
  readonly dataHex?: string;
}

const FILLED: Readonly<Record<string, number>> = { "zeros-64": 0, "ff-6000": 0xff };
const recorded = (readVectors("shuffle-checksums.json") as Recorded[]).filter(
  ({ dataHex, name }) => dataHex !== undefined || name in FILLED,
);

describe("the checksum of a partition", () => {
  it.each(recorded.map((entry) => [entry.algorithm, entry.name, entry] as const))(
    "is Java's, as a checksum file has it: %s of %s",
    async (algorithm, name, { dataHex, fileEntryHex, length, value }) => {
      const bytes =
        dataHex === undefined ? Buffer.alloc(length, FILLED[name]) : Buffer.from(dataHex, "hex");
      const sum = await checksumOf(new BytesManagedBuffer(bytes), partitionChecksum(algorithm)!);
      expect(sum).toBe(BigInt(value));
      expect(sum).toBe(BigInt(`0x${fileEntryHex}`));
    },
  );

  it.each(["adler32", "MD5", "", "../ADLER32", "CRC32 "])("has no algorithm %j", (algorithm) => {
    expect(partitionChecksum(algorithm)).toBeNull();
  });
});
