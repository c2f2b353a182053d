import type { ManagedBuffer, MergedBlockMetaQuery, StreamCallbackWithId } from "@bm/transport";
import type {
  CorruptionCauseName,
  ExecutorShuffleInfo,
  FinalizeShuffleMerge,
  MergeStatuses,
  PushBlockStream,
  RemoveShuffleMerge,
} from "../../protocol/block-transfer-message.ts";
import type { ReaderChecksum } from "./diagnose-merged-chunk.ts";
import type { Flow } from "./pushed-block.ts";

/** What is known of a merged partition before its chunks are fetched. */
export interface MergedBlockMetaAnswer {
  readonly numChunks: number;
  /** As many Roaring bitmaps back to back; handed over. */
  readonly bitmaps: ManagedBuffer;
}

/** One chunk of a merged partition. */
export interface MergedChunkQuery extends MergedBlockMetaQuery {
  readonly chunkId: number;
}

/**
 * Merges pushed blocks into files, one for each reduce partition, and serves these. Every method
 * throws (or rejects with) a failure that is sent to the peer.
 */
export interface MergedShuffleFileManager {
  /** An executor said where it, and so its application, keeps merged files. */
  registerExecutor(appId: string, info: ExecutorShuffleInfo): Promise<void>;
  /** Receives one pushed block; `flow` is that of its connection. */
  receiveBlock(message: PushBlockStream, flow: Flow): StreamCallbackWithId;
  /** Ends the merging of a shuffle; resolves when its files are complete. */
  finalizeShuffleMerge(message: FinalizeShuffleMerge): Promise<MergeStatuses>;
  /** Drops merged files. */
  removeShuffleMerge(message: RemoveShuffleMerge): Promise<void>;
  /** The meta file of a partition. */
  mergedBlockMeta(query: MergedBlockMetaQuery): Promise<MergedBlockMetaAnswer>;
  /** Hands over the bytes of a chunk. */
  mergedBlockData(query: MergedChunkQuery): Promise<ManagedBuffer>;
  /** Says why a chunk arrived corrupt. */
  diagnoseMergedChunk(
    query: MergedChunkQuery,
    reader: ReaderChecksum,
  ): Promise<CorruptionCauseName>;
  /** Directories of merged files of an application. */
  mergedBlockDirs(appId: string): readonly string[] | Promise<readonly string[]>;
  /** Forgets an application, and deletes its merged files when asked to. */
  applicationRemoved(appId: string, deleteFiles: boolean): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}
