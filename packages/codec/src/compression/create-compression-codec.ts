import { CodecError } from "../codec-error.ts";
import { createLz4Codec } from "../lz4/lz4-codec.ts";
import type { CompressionCodec, CompressionCodecName } from "./compression-codec.ts";

/** Every codec that {@link createCompressionCodec} knows. */
export const COMPRESSION_CODEC_NAMES: readonly CompressionCodecName[] = ["lz4"];

/** Spark's configuration takes the class of a codec as well as its short name. */
const NAMES_BY_JAVA_CLASS: ReadonlyMap<string, CompressionCodecName> = new Map([
  ["org.apache.spark.io.LZ4CompressionCodec", "lz4"],
]);

/** Settings of the codecs; each codec takes its own. */
export interface CompressionCodecOptions {
  /** Largest number of plain bytes in one LZ4 block, from 64 to 32 MiB. Default: 32 KiB. */
  readonly lz4BlockBytes?: number;
}

/**
 * A codec by Spark's short name, in any case, or by the name of Spark's class.
 *
 * @throws CodecError CODEC_NOT_AVAILABLE (its message names what is) or OPTION_INVALID.
 */
export function createCompressionCodec(
  name: string,
  options: CompressionCodecOptions = {},
): CompressionCodec {
  const shortName = NAMES_BY_JAVA_CLASS.get(name) ?? name.toLowerCase();
  if (shortName === "lz4") return createLz4Codec(options.lz4BlockBytes);
  const detail = `compression codec "${name}"; available: ${COMPRESSION_CODEC_NAMES.join(", ")}`;
  throw new CodecError("CODEC_NOT_AVAILABLE", detail);
}
