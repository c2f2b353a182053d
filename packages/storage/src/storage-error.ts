import type { FetchCulprit } from "@bm/shuffle";

/** Every way in which this package fails. Codes are API; messages are for people and may change. */
export const STORAGE_ERROR_CODES = {
  NO_LOCAL_DIR: "None of the directories for blocks can be used.",
  DISK_FULL: "There is no room on the disk; nothing was left behind.",
  BLOCK_NOT_FOUND: "The block is not here.",
  BLOCK_NOT_STORED: "There is no room to keep the block.",
  BLOCK_BUSY: "The block is in use and cannot be moved now.",
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

/** The only error class of this package. Test `code`; `cause` holds what led to it. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;
  /** With FETCH_FAILED: the map output that could not be read; null when none is known at all. */
  readonly culprit: FetchCulprit | null;

  constructor(code: StorageErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.culprit = options.culprit ?? null;
  }
}
