import { type CompressionCodec, createCompressionCodec } from "@bm/codec";
import { parseByteSize } from "@bm/transport";
import { flag } from "../block-manager/storage-conf.ts";
import { StorageError } from "../storage-error.ts";

/** What Spark's keys say of shuffles. */
export interface ShuffleConf {
  /** `spark.shuffle.compress` (true) and `spark.io.compression.codec` (lz4); null for no compression. */
  readonly codec: CompressionCodec | null;
  /** `spark.shuffle.spill.maxSizeInBytesForSpillThreshold`. */
  readonly memoryBytesMax: number | undefined;
  /** `spark.reducer.maxSizeInFlight`, in MiB where it has no unit. */
  readonly maxBytesInFlight: number | undefined;
}

/**
 * Reads the keys that are there; others keep the default of who uses the value.
 * @throws StorageError OPTION_INVALID; TransportError OPTION_INVALID for a size that is none;
 *   CodecError for a codec that does not exist here.
 */
export function readShuffleConf(conf: Readonly<Record<string, string>> = {}): ShuffleConf {
  const isCompressed = flag(conf, "spark.shuffle.compress", true);
  const codec = conf["spark.io.compression.codec"] ?? "lz4";
  return {
    codec: isCompressed ? createCompressionCodec(codec) : null,
    memoryBytesMax: size(conf, "spark.shuffle.spill.maxSizeInBytesForSpillThreshold", "B"),
    maxBytesInFlight: size(conf, "spark.reducer.maxSizeInFlight", "MiB"),
  };
}

function size(
  conf: Readonly<Record<string, string>>,
  key: string,
  unit: "B" | "MiB",
): number | undefined {
  const text = conf[key];
  if (text === undefined) return undefined;
  const bytes = parseByteSize(text, unit);
  if (bytes > 0) return bytes;
  throw new StorageError("OPTION_INVALID", `${key} is ${text}, must be positive`);
}
