/**
 * The messages that travel inside requests, answers and upload headers. One type byte, then the
 * fields in the order in which they stand here; no length, no version, bytes behind the last field
 * are ignored.
 *
 *     id  message                    carried by        answer
 *      0  OpenBlocks                 request           StreamHandle
 *      1  UploadBlock                request           empty
 *      2  RegisterExecutor           request           empty
 *      3  StreamHandle               answer
 *      6  UploadBlockStream          upload header     empty
 *      7  RemoveBlocks               request           BlocksRemoved
 *      8  BlocksRemoved              answer
 *      9  FetchShuffleBlocks         request           StreamHandle
 *     10  GetLocalDirsForExecutors   request           LocalDirsForExecutors
 *     11  LocalDirsForExecutors      answer
 *     12  PushBlockStream            upload header     BlockPushReturnCode
 *     13  FinalizeShuffleMerge       request           MergeStatuses
 *     14  MergeStatuses              answer
 *     15  FetchShuffleBlockChunks    request           StreamHandle
 *     16  DiagnoseCorruption         request           CorruptionCause
 *     17  CorruptionCause            answer
 *     18  BlockPushReturnCode        answer
 *     19  RemoveShuffleMerge         one-way           none
 *
 * Integers are big-endian and signed. `int32` and smaller are `number`, ids, sizes and checksums of
 * 64 bits are `bigint`, a stream id is echoed and therefore an `Int64`.
 */
import type { Int64 } from "@bm/transport";

/** Type bytes by name. 4 and 5 are reserved and never decode. */
export const BlockTransferMessageType = {
  OpenBlocks: 0,
  UploadBlock: 1,
  RegisterExecutor: 2,
  StreamHandle: 3,
  UploadBlockStream: 6,
  RemoveBlocks: 7,
  BlocksRemoved: 8,
  FetchShuffleBlocks: 9,
  GetLocalDirsForExecutors: 10,
  LocalDirsForExecutors: 11,
  PushBlockStream: 12,
  FinalizeShuffleMerge: 13,
  MergeStatuses: 14,
  FetchShuffleBlockChunks: 15,
  DiagnoseCorruption: 16,
  CorruptionCause: 17,
  BlockPushReturnCode: 18,
  RemoveShuffleMerge: 19,
} as const;

/** Name of a message, and the value of its `type`. */
export type BlockTransferMessageName = keyof typeof BlockTransferMessageType;

/** Asks for blocks by name; chunk i of the stream is block i. */
export interface OpenBlocks {
  readonly type: "OpenBlocks";
  readonly appId: string;
  readonly execId: string;
  readonly blockIds: readonly string[];
}

/** Brings a block that fits into one message. */
export interface UploadBlock {
  readonly type: "UploadBlock";
  readonly appId: string;
  readonly execId: string;
  readonly blockId: string;
  /** Storage level and class tag, see `decodeUploadMetadata`. A view on the message when decoded. */
  readonly metadata: Uint8Array;
  /** A view on the message when decoded. */
  readonly blockData: Uint8Array;
}

/** Where the files of an executor lie. */
export interface ExecutorShuffleInfo {
  /** In this order the directories are part of the hash that places a file. */
  readonly localDirs: readonly string[];
  readonly subDirsPerLocalDir: number;
  /** Class name of the shuffle manager, with push-based shuffle followed by `:` and a JSON object. */
  readonly shuffleManager: string;
}

/** Tells a shuffle service where an executor writes. */
export interface RegisterExecutor {
  readonly type: "RegisterExecutor";
  readonly appId: string;
  readonly execId: string;
  readonly executorInfo: ExecutorShuffleInfo;
}

/** Under which id the chunks of a request can be had. */
export interface StreamHandle {
  readonly type: "StreamHandle";
  readonly streamId: Int64;
  readonly numChunks: number;
}

/** Header of an upload whose bytes follow as a stream. */
export interface UploadBlockStream {
  readonly type: "UploadBlockStream";
  readonly blockId: string;
  /** As in {@link UploadBlock}. */
  readonly metadata: Uint8Array;
}

/** Asks a shuffle service to delete blocks of an executor. */
export interface RemoveBlocks {
  readonly type: "RemoveBlocks";
  readonly appId: string;
  readonly execId: string;
  readonly blockIds: readonly string[];
}

/** How many blocks were deleted. */
export interface BlocksRemoved {
  readonly type: "BlocksRemoved";
  readonly numRemovedBlocks: number;
}

/**
 * Asks for partitions of map outputs of one shuffle. Chunks follow `mapIds`, and within a map its
 * `reduceIds`; with `batchFetchEnabled` each map has one chunk, the partitions from
 * `reduceIds[i][0]` to before `reduceIds[i][1]`.
 */
export interface FetchShuffleBlocks {
  readonly type: "FetchShuffleBlocks";
  readonly appId: string;
  readonly execId: string;
  readonly shuffleId: number;
  readonly mapIds: readonly bigint[];
  /** As many lists as there are map ids. */
  readonly reduceIds: readonly (readonly number[])[];
  readonly batchFetchEnabled: boolean;
}

/** Asks where the files of executors lie, to read them without the network. */
export interface GetLocalDirsForExecutors {
  readonly type: "GetLocalDirsForExecutors";
  readonly appId: string;
  readonly execIds: readonly string[];
}

/** Local directories by executor. The order of the executors means nothing. */
export interface LocalDirsForExecutors {
  readonly type: "LocalDirsForExecutors";
  readonly localDirsByExec: ReadonlyMap<string, readonly string[]>;
}

/** Header of a block that is pushed to be merged. */
export interface PushBlockStream {
  readonly type: "PushBlockStream";
  readonly appId: string;
  /** -1 when the application has no attempts. */
  readonly appAttemptId: number;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  /** Index of the map task in its stage, not the task's id. */
  readonly mapIndex: number;
  readonly reduceId: number;
  /** Position in the batch that was pushed. */
  readonly index: number;
}

/** Ends the merging of a shuffle. */
export interface FinalizeShuffleMerge {
  readonly type: "FinalizeShuffleMerge";
  readonly appId: string;
  readonly appAttemptId: number;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
}

/** What was merged: the i-th elements of the three lists belong together. */
export interface MergeStatuses {
  readonly type: "MergeStatuses";
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  /** Map indexes, each a Roaring bitmap in its portable form. Views on the message when decoded. */
  readonly bitmaps: readonly Uint8Array[];
  readonly reduceIds: readonly number[];
  /** Bytes of each merged partition. */
  readonly sizes: readonly bigint[];
}

/** Asks for chunks of merged partitions; chunks follow `reduceIds`, and within one its `chunkIds`. */
export interface FetchShuffleBlockChunks {
  readonly type: "FetchShuffleBlockChunks";
  readonly appId: string;
  readonly execId: string;
  readonly shuffleId: number;
  readonly shuffleMergeId: number;
  readonly reduceIds: readonly number[];
  /** As many lists as there are reduce ids. */
  readonly chunkIds: readonly (readonly number[])[];
}

/** Asks why a block arrived corrupt. */
export interface DiagnoseCorruption {
  readonly type: "DiagnoseCorruption";
  readonly appId: string;
  readonly execId: string;
  readonly shuffleId: number;
  readonly mapId: bigint;
  readonly reduceId: number;
  /** What the reader computed: an unsigned 32-bit value. */
  readonly checksum: bigint;
  /** `ADLER32`, `CRC32` or `CRC32C`. */
  readonly algorithm: string;
}

/** Causes by their number on the wire. */
export const CORRUPTION_CAUSES = [
  "DISK_ISSUE",
  "NETWORK_ISSUE",
  "UNKNOWN_ISSUE",
  "CHECKSUM_VERIFY_PASS",
  "UNSUPPORTED_CHECKSUM_ALGORITHM",
] as const;

/** Why a block arrived corrupt. */
export type CorruptionCauseName = (typeof CORRUPTION_CAUSES)[number];

/** Answer to {@link DiagnoseCorruption}. */
export interface CorruptionCause {
  readonly type: "CorruptionCause";
  readonly cause: CorruptionCauseName;
}

/** Outcomes of a push by their number on the wire. */
export const BLOCK_PUSH_RETURN_CODES = [
  "SUCCESS",
  "TOO_LATE_BLOCK_PUSH",
  "BLOCK_APPEND_COLLISION_DETECTED",
  "STALE_BLOCK_PUSH",
  "TOO_OLD_ATTEMPT_PUSH",
] as const;

/** Outcome of a push. */
export type BlockPushReturnCodeName = (typeof BLOCK_PUSH_RETURN_CODES)[number];

/** Answer to a pushed block. */
export interface BlockPushReturnCode {
  readonly type: "BlockPushReturnCode";
  readonly returnCode: BlockPushReturnCodeName;
  /** Empty on success. */
  readonly failureBlockId: string;
}

/** Drops what was merged of a shuffle. Sent one-way: there is no answer. */
export interface RemoveShuffleMerge {
  readonly type: "RemoveShuffleMerge";
  readonly appId: string;
  readonly appAttemptId: number;
  readonly shuffleId: number;
  /** -1 drops whatever is current. */
  readonly shuffleMergeId: number;
}

/** Any message of this protocol. */
export type BlockTransferMessage =
  | OpenBlocks
  | UploadBlock
  | RegisterExecutor
  | StreamHandle
  | UploadBlockStream
  | RemoveBlocks
  | BlocksRemoved
  | FetchShuffleBlocks
  | GetLocalDirsForExecutors
  | LocalDirsForExecutors
  | PushBlockStream
  | FinalizeShuffleMerge
  | MergeStatuses
  | FetchShuffleBlockChunks
  | DiagnoseCorruption
  | CorruptionCause
  | BlockPushReturnCode
  | RemoveShuffleMerge;
