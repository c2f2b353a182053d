import type { FetchCulprit } from "@bm/shuffle";

/** Every way in which this package fails. Codes are API; messages are for people and may change. */
export const STORAGE_ERROR_CODES = {
  NO_LOCAL_DIR: "None of the directories for blocks can be used.",
  FILE_NAME_INVALID: "A block's name cannot be that of a file in the directories for blocks.",
  DISK_FULL: "There is no room on the disk; nothing was left behind.",
  BLOCK_NOT_FOUND: "The block is not here.",
  BLOCK_DAMAGED: "A block does not hold what it should, or its file is not as long as it is.",
  BLOCK_NOT_STORED: "There is no room to keep the block.",
  BLOCK_BUSY: "The block is in use and cannot be moved now.",
  DECOMMISSIONED: "The block manager is about to go and takes nothing in but broadcasts.",
  LEVEL_INVALID: "The storage level keeps a block nowhere.",
  CLOSED: "The block manager was used after it was closed.",
  VALUE_INVALID: "A value or record is out of the range of what can be written.",
  RECORD_MALFORMED: "Bytes that were to be records do not hold whole records.",
  PARTITION_INVALID: "A partitioner gave a partition that does not exist.",
  WRITER_STATE: "A shuffle writer was used after its commit or its end.",
  FETCH_FAILED: "Map output cannot be had or read; `culprit` says whose, when it is known.",
  OPTION_INVALID: "An option or configuration value is out of its range.",
} as const;

/** A key of {@link STORAGE_ERROR_CODES}. */
export type StorageErrorCode = keyof typeof STORAGE_ERROR_CODES;

/** What goes with a {@link StorageError}. */
export interface StorageErrorOptions {
  readonly cause?: unknown;
  /** With FETCH_FAILED: the map output that could not be read; null when none is known at all. */
  readonly culprit?: FetchCulprit | null;
}

/** What a JVM peer throws for the same failure; the transport sends it before the message. */
const JAVA_CLASSES: Readonly<Partial<Record<StorageErrorCode, string>>> = {
  FILE_NAME_INVALID: "java.lang.IllegalArgumentException",
  DISK_FULL: "java.io.IOException",
  BLOCK_NOT_FOUND: "org.apache.spark.storage.BlockNotFoundException",
  BLOCK_DAMAGED: "java.io.IOException",
  BLOCK_NOT_STORED: "org.apache.spark.SparkException",
  DECOMMISSIONED: "org.apache.spark.storage.BlockSavedOnDecommissionedBlockManagerException",
  LEVEL_INVALID: "java.lang.IllegalArgumentException",
  CLOSED: "java.lang.IllegalStateException",
  FETCH_FAILED: "org.apache.spark.shuffle.FetchFailedException",
};

/** The only error class of this package. Test `code`; `cause` holds what led to it. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;
  /** Name of the Java class that Spark uses for the same failure. */
  readonly javaClass: string | undefined;
  /** With FETCH_FAILED: the map output that could not be read; null when none is known at all. */
  readonly culprit: FetchCulprit | null;

  constructor(code: StorageErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.javaClass = JAVA_CLASSES[code];
    this.culprit = options.culprit ?? null;
  }
}
