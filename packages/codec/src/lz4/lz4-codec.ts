import type { CompressionCodec } from "../compression/compression-codec.ts";
import { Lz4BlockDecoder } from "./lz4-block-decoder.ts";
import {
  LZ4_BLOCK_BYTES_DEFAULT,
  Lz4BlockEncoder,
  resolveBlockBytes,
} from "./lz4-block-encoder.ts";
import { lz4Compress, lz4Decompress } from "./lz4-one-shot.ts";

/** Spark's default codec. @throws CodecError OPTION_INVALID */
export function createLz4Codec(blockBytes: number = LZ4_BLOCK_BYTES_DEFAULT): CompressionCodec {
  // A wrong size is refused here, not by the first stream.
  const options = { blockBytes: resolveBlockBytes({ blockBytes }) };
  return {
    name: "lz4",
    compress: (bytes) => lz4Compress(bytes, options),
    decompress: (bytes, decodeOptions) => lz4Decompress(bytes, decodeOptions),
    createEncoder: () => new Lz4BlockEncoder(options),
    createDecoder: (decodeOptions) => new Lz4BlockDecoder(decodeOptions),
  };
}
