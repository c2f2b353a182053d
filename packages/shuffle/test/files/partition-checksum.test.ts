import { describe, expect, it } from "vitest";
import { PARTITION_CHECKSUMS } from "../../src/service/partition-checksum.ts";
import { readVectors } from "../read-vectors.ts";

interface Recorded {
  readonly name: string;
  readonly algorithm: string;
  readonly length: number;
  readonly value: string;
  readonly dataHex?: string;
}

const FILLED: Readonly<Record<string, number>> = { "zeros-64": 0, "ff-6000": 0xff };
const recorded = (readVectors("shuffle-checksums.json") as Recorded[]).filter(
  ({ dataHex, name }) => dataHex !== undefined || name in FILLED,
);

describe("the checksum of a partition", () => {
  it.each(recorded.map((entry) => [entry.algorithm, entry.name, entry] as const))(
    "is Java's, whole and in pieces: %s of %s",
    (algorithm, name, { dataHex, length, value }) => {
      const bytes =
        dataHex === undefined ? Buffer.alloc(length, FILLED[name]) : Buffer.from(dataHex, "hex");
      const { initial, step } = PARTITION_CHECKSUMS.get(algorithm)!;
      expect(step(initial, bytes)).toBe(Number(value));
      const half = length >> 1;
      const first = step(initial, bytes.subarray(0, half));
      expect(step(first, bytes.subarray(half))).toBe(Number(value));
    },
  );
});
