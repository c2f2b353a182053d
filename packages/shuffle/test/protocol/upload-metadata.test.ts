import { StorageLevel } from "@bm/block";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeUploadMetadata,
  encodeUploadMetadata,
  type ScalaVersion,
  ShuffleError,
} from "../../src/index.ts";
import { readVectors } from "../read-vectors.ts";

interface RecordedMetadata {
  readonly scala: ScalaVersion;
  readonly storageLevel: string;
  readonly classTag: string;
  readonly flags: number;
  readonly replication: number;
  readonly hex: string;
}

const RECORDED = readVectors("upload-metadata.json") as RecordedMetadata[];
const CLASS_TAG_AT = 128;

describe("upload metadata", () => {
  it.each(RECORDED)("of $storageLevel with $classTag on Scala $scala is read", (recorded) => {
    const bytes = Buffer.from(recorded.hex, "hex");
    const { classTag, level } = decodeUploadMetadata(bytes);
    expect(level).toBe(StorageLevel.fromFlags(recorded.flags, recorded.replication));
    expect(Buffer.from(classTag)).toEqual(bytes.subarray(CLASS_TAG_AT));
  });

  it.each(RECORDED.filter(({ classTag }) => classTag === "null"))(
    "of $storageLevel without a class tag is written as Scala $scala does",
    ({ flags, hex, replication, scala }) => {
      const level = StorageLevel.fromFlags(flags, replication);
      expect(Buffer.from(encodeUploadMetadata(level, scala)).toString("hex")).toBe(hex);
    },
  );

  it("is written for Scala 2.13 when nothing else is said", () => {
    const level = StorageLevel.DISK_ONLY;
    expect(encodeUploadMetadata(level)).toEqual(encodeUploadMetadata(level, "2.13"));
  });

  it("of another serializer is refused, as is anything cut short", () => {
    const good = encodeUploadMetadata(StorageLevel.MEMORY_ONLY);
    for (let length = 0; length < good.length; length += 1) {
      expect(() => decodeUploadMetadata(good.subarray(0, length))).toThrow(ShuffleError);
    }
    expect(() => decodeUploadMetadata(Buffer.from("0102030405"))).toThrow(
      expect.objectContaining({ code: "METADATA_UNSUPPORTED" }),
    );
  });

  it("gives a level or a typed error for any bytes", () => {
    const good = encodeUploadMetadata(StorageLevel.MEMORY_ONLY);
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ max: 255, min: 0 })));
    fc.assert(
      fc.property(damage, (changes) => {
        const bytes = good.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          decodeUploadMetadata(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ShuffleError);
        }
      }),
    );
  });
});
