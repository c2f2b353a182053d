/** Every way in which this package fails. Codes are API; messages are for people and may change. */
export const MASTER_ERROR_CODES = {
  UNIMPLEMENTED: "The message is part of the protocol but is not handled yet; the text names it.",
  REGISTRATION_CONFLICT:
    "A block manager that is still registered asks to be registered again, but its executor is dead.",
  REGISTRATION_REFUSED: "The master refused the first registration of a block manager.",
  UNEXPECTED_REPLY: "The master answered false where only true is possible.",
  SHUFFLE_REGISTERED_TWICE: "The shuffle is already registered.",
  SHUFFLE_UNKNOWN: "No shuffle of that id is registered.",
  MAP_INDEX_INVALID: "The shuffle has no map task of that index.",
  PARTITION_INVALID: "The map output has no such reduce partition, or the range is empty.",
  METADATA_FETCH_FAILED: "The places of a shuffle's map output are not known; compute it again.",
  STATUSES_MALFORMED: "The serialised map statuses cannot be read.",
  SIZE_INVALID: "A size is negative or no integer.",
  STATE_UNUSABLE:
    "The state that a driver starts from is in use, of another version, or out of reach.",
  OPTION_INVALID: "An option is out of its range.",
} as const;

/** A key of {@link MASTER_ERROR_CODES}. */
export type MasterErrorCode = keyof typeof MASTER_ERROR_CODES;

/** What a {@link MasterError} may carry besides its code. */
export interface MasterErrorOptions {
  readonly cause?: unknown;
  /** The shuffle and the partition that a METADATA_FETCH_FAILED is about. */
  readonly shuffleId?: number;
  readonly partition?: number;
}

/** The only error class of this package. Test `code`; `cause` holds what led to it. */
export class MasterError extends Error {
  override readonly name = "MasterError";
  readonly code: MasterErrorCode;
  /** Set with METADATA_FETCH_FAILED. */
  readonly shuffleId: number | null;
  /** Set with METADATA_FETCH_FAILED; -1 when no single partition is meant. */
  readonly partition: number | null;

  constructor(code: MasterErrorCode, message: string, options: MasterErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.shuffleId = options.shuffleId ?? null;
    this.partition = options.partition ?? null;
  }
}
