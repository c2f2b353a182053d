/** Every way in which this package fails. Codes are API; messages are for people and may change. */
export const CODEC_ERROR_CODES = {
  STREAM_CORRUPT: "Compressed bytes break the rules of their format, or do not decode.",
  STREAM_TRUNCATED: "Compressed bytes end before the end of their stream.",
  CHECKSUM_MISMATCH: "A block decoded to bytes that do not have the checksum in its header.",
  OUTPUT_TOO_LARGE: "Decompressed bytes would exceed the limit that the caller set.",
  STREAM_STATE_INVALID:
    "An encoder or decoder was used after its end or a failure, or before its last output was taken.",
  CODEC_NOT_AVAILABLE: "There is no compression codec of this name here.",
  CHECKSUM_NOT_AVAILABLE: "There is no checksum algorithm of this name here.",
  OPTION_INVALID: "An option is out of its range.",
} as const;

/** A key of {@link CODEC_ERROR_CODES}. */
export type CodecErrorCode = keyof typeof CODEC_ERROR_CODES;

/** What a JVM peer throws for the same failure; a transport that reports failures as text sends it. */
const JAVA_CLASSES: Readonly<Record<CodecErrorCode, string>> = {
  STREAM_CORRUPT: "java.io.IOException",
  STREAM_TRUNCATED: "java.io.EOFException",
  CHECKSUM_MISMATCH: "java.io.IOException",
  OUTPUT_TOO_LARGE: "java.io.IOException",
  STREAM_STATE_INVALID: "java.lang.IllegalStateException",
  CODEC_NOT_AVAILABLE: "org.apache.spark.SparkIllegalArgumentException",
  CHECKSUM_NOT_AVAILABLE: "java.lang.UnsupportedOperationException",
  OPTION_INVALID: "java.lang.IllegalArgumentException",
};

/** The only error class of this package. Test `code`; `cause` holds what led to it. */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly code: CodecErrorCode;
  /** Name of the Java class that Spark uses for the same failure. */
  readonly javaClass: string;

  constructor(code: CodecErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.javaClass = JAVA_CLASSES[code];
  }
}
