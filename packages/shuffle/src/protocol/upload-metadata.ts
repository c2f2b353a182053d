/**
 * Metadata of an upload: a storage level and a class tag, as Java serialises a pair of them.
 *
 *     0                 22          30                      124     126  127  128
 *     +-----------------+-----------+-----------------------+-------+----+----+-----------+
 *     | header, Tuple2  | Tuple2's  | fields, StorageLevel  | level | 78 | class tag      |
 *     +-----------------+-----------+-----------------------+-------+----+----------------+
 *
 * Everything but the version of Tuple2 (it differs between Scala 2.12 and 2.13), the two bytes of the
 * level and the class tag is the same in every such pair. An application that sets another
 * serializer sends another form, which only its own code can read.
 */
import { STORAGE_LEVEL_BYTES, StorageLevel } from "@bm/block";
import { ShuffleError } from "../shuffle-error.ts";

/** Which Scala the peers run: Spark 4 is 2.13, Spark 3 may be either. */
export type ScalaVersion = "2.12" | "2.13";

/** What the metadata says. */
export interface UploadMetadata {
  readonly level: StorageLevel;
  /** The serialised class tag; a view on the metadata. One byte `0x70` when there is none. */
  readonly classTag: Uint8Array;
}

const TUPLE_VERSIONS: Readonly<Record<ScalaVersion, string>> = {
  "2.12": "2e94667d5b92f9f5",
  "2.13": "01fbddcd22e7347a",
};

const BEFORE_VERSION = Buffer.concat([
  Buffer.from("aced00057372000c", "hex"),
  Buffer.from("scala.Tuple2", "latin1"),
]);
const BEFORE_LEVEL = Buffer.concat([
  Buffer.from("0200024c00025f31740012", "hex"),
  Buffer.from("Ljava/lang/Object;", "latin1"),
  Buffer.from("4c00025f3271007e0001787073720025", "hex"),
  Buffer.from("org.apache.spark.storage.StorageLevel", "latin1"),
  Buffer.from("61faa354e67965660c000078707702", "hex"),
]);
const AFTER_LEVEL = Buffer.from("78", "hex");
const NO_CLASS_TAG = Buffer.from("70", "hex");

const VERSION_AT = BEFORE_VERSION.length;
const VERSION_BYTES = 8;
const FIELDS_AT = VERSION_AT + VERSION_BYTES;
const LEVEL_AT = FIELDS_AT + BEFORE_LEVEL.length;
const END_AT = LEVEL_AT + STORAGE_LEVEL_BYTES;
const CLASS_TAG_AT = END_AT + AFTER_LEVEL.length;

/** The metadata for `level` without a class tag, which every receiver takes for serialised data. */
export function encodeUploadMetadata(
  level: StorageLevel,
  scalaVersion: ScalaVersion = "2.13",
): Uint8Array {
  const version = Buffer.from(TUPLE_VERSIONS[scalaVersion], "hex");
  const parts = [BEFORE_VERSION, version, BEFORE_LEVEL, level.toBytes(), AFTER_LEVEL, NO_CLASS_TAG];
  return Buffer.concat(parts);
}

/**
 * Reads metadata of either Scala version, with any class tag.
 * @throws ShuffleError METADATA_UNSUPPORTED - cut short, or written by another serializer.
 */
export function decodeUploadMetadata(metadata: Uint8Array): UploadMetadata {
  const isPair =
    metadata.length > CLASS_TAG_AT &&
    hasAt(metadata, 0, BEFORE_VERSION) &&
    hasAt(metadata, FIELDS_AT, BEFORE_LEVEL) &&
    hasAt(metadata, END_AT, AFTER_LEVEL);
  if (!isPair) {
    const text = `upload metadata of ${metadata.length} bytes is not a Java-serialised storage level`;
    throw new ShuffleError("METADATA_UNSUPPORTED", text);
  }
  return {
    level: StorageLevel.fromBytes(metadata.subarray(LEVEL_AT, END_AT)),
    classTag: metadata.subarray(CLASS_TAG_AT),
  };
}

function hasAt(bytes: Uint8Array, at: number, expected: Buffer): boolean {
  return expected.equals(bytes.subarray(at, at + expected.length));
}
