import type { CodecStream, DecodeOptions } from "./codec-stream.ts";

/** Short names of the codecs that exist here. */
export type CompressionCodecName = "lz4";

/** One way to compress, as Spark frames it. It has no state of its own and may be shared. */
export interface CompressionCodec {
  readonly name: CompressionCodecName;

  /** A whole stream with its end mark, in an array that belongs to the caller. */
  compress(bytes: Uint8Array): Uint8Array;

  /**
   * What one stream, or several back to back, decompress to, in an array that belongs to the caller.
   * No bytes at all decompress to none.
   *
   * @throws CodecError STREAM_CORRUPT, STREAM_TRUNCATED, CHECKSUM_MISMATCH or OUTPUT_TOO_LARGE.
   */
  decompress(bytes: Uint8Array, options?: DecodeOptions): Uint8Array;

  /** Compresses one stream piece by piece. Holds at most one block. */
  createEncoder(): CodecStream;

  /** Decompresses streams piece by piece. Holds at most one block. */
  createDecoder(options?: DecodeOptions): CodecStream;
}
