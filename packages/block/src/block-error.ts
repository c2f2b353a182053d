/** Every way in which this package fails. Codes are API; messages are for people and may change. */
export const BLOCK_ERROR_CODES = {
  UNRECOGNIZED_BLOCK_ID: "The text is not the name of a block of any kind that can be parsed.",
  BLOCK_ID_NUMBER_INVALID: "A number of a block name does not fit the type of its field.",
  BLOCK_ID_UUID_INVALID: "The UUID of a temporary block does not consist of five groups.",
  STORAGE_LEVEL_UNKNOWN: "No storage level has this name.",
  REPLICATION_INVALID: "The replication of a storage level is out of range.",
  BLOCK_MANAGER_ID_INVALID: "The host or the port of a block manager is not acceptable.",
  BYTES_MALFORMED: "The byte form is cut short, too long, or holds malformed text.",
  TEXT_TOO_LONG: "A text does not fit into the 65,535 bytes that its byte form allows.",
  LOCAL_DIRS_INVALID:
    "There is no local directory, or the number of sub-directories is not positive.",
} as const;

/** A key of {@link BLOCK_ERROR_CODES}. */
export type BlockErrorCode = keyof typeof BLOCK_ERROR_CODES;

/** What a JVM peer throws for the same failure; a transport that reports failures as text sends it. */
const JAVA_CLASSES: Readonly<Record<BlockErrorCode, string>> = {
  UNRECOGNIZED_BLOCK_ID: "org.apache.spark.storage.UnrecognizedBlockId",
  BLOCK_ID_NUMBER_INVALID: "java.lang.NumberFormatException",
  BLOCK_ID_UUID_INVALID: "java.lang.IllegalArgumentException",
  STORAGE_LEVEL_UNKNOWN: "java.lang.IllegalArgumentException",
  REPLICATION_INVALID: "java.lang.AssertionError",
  BLOCK_MANAGER_ID_INVALID: "java.lang.AssertionError",
  BYTES_MALFORMED: "java.io.IOException",
  TEXT_TOO_LONG: "java.io.UTFDataFormatException",
  LOCAL_DIRS_INVALID: "java.lang.IllegalArgumentException",
};

/** The only error class of this package. Test `code`; `cause` holds what led to it. */
export class BlockError extends Error {
  override readonly name = "BlockError";
  readonly code: BlockErrorCode;
  /** Name of the Java class that Spark uses for the same failure. */
  readonly javaClass: string;

  constructor(code: BlockErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.javaClass = JAVA_CLASSES[code];
  }
}
