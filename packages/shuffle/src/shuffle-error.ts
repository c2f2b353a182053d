import type { BlockManagerId } from "@bm/block";
import type { BlockPushReturnCodeName } from "./protocol/block-transfer-message.ts";

/** Every way in which this package fails. Codes are API; messages are for people and may change. */
export const SHUFFLE_ERROR_CODES = {
  MESSAGE_UNKNOWN: "A message begins with a type byte that stands for no message.",
  MESSAGE_MALFORMED: "The bytes are not a complete, consistent message of their type.",
  MESSAGE_UNEXPECTED: "A well-formed message arrived where its type is not served.",
  METADATA_UNSUPPORTED: "The metadata of an upload is in a form that cannot be read.",
  BLOCK_IDS_INVALID:
    "A list of block ids is empty, or mixes blocks that cannot be asked for together.",
  BLOCK_NOT_FOUND: "The block is not here.",
  BLOCK_NOT_STORED: "An uploaded block was not kept, mostly for want of space.",
  STREAM_HANDLE_INVALID: "The answer to a request for blocks does not fit the request.",
  ANSWER_INVALID: "A peer answered with another message than the one that was due.",
  FETCH_FAILED: "A block could not be fetched; `culprit` says which and from where.",
  FETCH_ABORTED: "The caller gave a fetch or an upload up, or the service was closed.",
  BLOCK_CORRUPT: "A block arrived with other bytes than were written.",
  REGISTRATION_FAILED: "An executor could not be registered with a shuffle service.",
  PUSH_REFUSED: "A merger did not take a pushed block; `pushReturnCode` says why.",
  EXECUTOR_DEAD: "The executor that holds the blocks is gone for good.",
  INDEX_INVALID:
    "An index or checksum file is cut short, out of order, or does not fit its data file.",
  COMMIT_INVALID: "The files of a map output do not fit the lengths that were given for them.",
  OPTION_INVALID: "An option is out of its range.",
  CLOSED: "The object was used after it was closed, or before it was started.",
} as const;

/** A key of {@link SHUFFLE_ERROR_CODES}. */
export type ShuffleErrorCode = keyof typeof SHUFFLE_ERROR_CODES;

/** Which block could not be had, and from where: what a scheduler needs to run its map again. */
export interface FetchCulprit {
  readonly location: BlockManagerId;
  readonly shuffleId: number;
  /** Id of the map task. */
  readonly mapId: bigint;
  /** Index of the map task in its stage. */
  readonly mapIndex: number;
  /** The first one when a run of partitions was asked for. */
  readonly reduceId: number;
}

/** What goes with a {@link ShuffleError}. */
export interface ShuffleErrorOptions {
  readonly cause?: unknown;
  /** Set with FETCH_FAILED. */
  readonly culprit?: FetchCulprit;
  /** Set with PUSH_REFUSED. */
  readonly pushReturnCode?: Exclude<BlockPushReturnCodeName, "SUCCESS">;
}

/** What a JVM peer throws for the same failure; the transport sends it before the message. */
const JAVA_CLASSES: Readonly<Partial<Record<ShuffleErrorCode, string>>> = {
  MESSAGE_UNKNOWN: "java.lang.IllegalArgumentException",
  MESSAGE_MALFORMED: "java.lang.IllegalArgumentException",
  MESSAGE_UNEXPECTED: "java.lang.UnsupportedOperationException",
  METADATA_UNSUPPORTED: "java.io.StreamCorruptedException",
  BLOCK_IDS_INVALID: "java.lang.IllegalArgumentException",
  BLOCK_NOT_FOUND: "org.apache.spark.storage.BlockNotFoundException",
  BLOCK_NOT_STORED: "org.apache.spark.SparkException",
  PUSH_REFUSED: "org.apache.spark.network.server.BlockPushNonFatalFailure",
  BLOCK_CORRUPT: "java.io.IOException",
  FETCH_FAILED: "org.apache.spark.shuffle.FetchFailedException",
  EXECUTOR_DEAD: "org.apache.spark.ExecutorDeadException",
  INDEX_INVALID: "java.io.IOException",
  COMMIT_INVALID: "java.io.IOException",
  CLOSED: "java.lang.IllegalStateException",
};

/** The only error class of this package. Test `code`; `cause` holds what led to it. */
export class ShuffleError extends Error {
  override readonly name = "ShuffleError";
  readonly code: ShuffleErrorCode;
  /** Name of the Java class that Spark uses for the same failure. */
  readonly javaClass: string | undefined;
  /** Set with FETCH_FAILED, null otherwise. */
  readonly culprit: FetchCulprit | null;
  /** Set with PUSH_REFUSED, null otherwise. */
  readonly pushReturnCode: Exclude<BlockPushReturnCodeName, "SUCCESS"> | null;

  constructor(code: ShuffleErrorCode, message: string, options: ShuffleErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.javaClass = JAVA_CLASSES[code];
    this.culprit = options.culprit ?? null;
    this.pushReturnCode = options.pushReturnCode ?? null;
  }
}
