export {
  Adler32,
  CHECKSUM_ALGORITHMS,
  type Checksum,
  type ChecksumAlgorithm,
  Crc32,
  Crc32C,
  createChecksum,
} from "./checksum/index.ts";
export { CODEC_ERROR_CODES, CodecError, type CodecErrorCode } from "./codec-error.ts";
export type { CodecStream, DecodeOptions } from "./compression/codec-stream.ts";
export type { CompressionCodec, CompressionCodecName } from "./compression/compression-codec.ts";
export {
  COMPRESSION_CODEC_NAMES,
  type CompressionCodecOptions,
  createCompressionCodec,
} from "./compression/create-compression-codec.ts";
export { transformChunks } from "./compression/transform-chunks.ts";
export { Lz4BlockDecoder } from "./lz4/lz4-block-decoder.ts";
export {
  LZ4_BLOCK_BYTES_DEFAULT,
  Lz4BlockEncoder,
  type Lz4EncodeOptions,
} from "./lz4/lz4-block-encoder.ts";
export { lz4Compress, lz4Decompress } from "./lz4/lz4-one-shot.ts";
