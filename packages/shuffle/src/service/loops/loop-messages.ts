/**
 * What the event loops of one service say to each other.
 *
 * The owner has the registrations and the merged files. The other loops have a copy of the registrations,
 * and ask the owner for everything else that is not a file.
 */
import type { Logger, MergedBlockMetaQuery } from "@bm/transport";
import type {
  ExecutorShuffleInfo,
  FinalizeShuffleMerge,
  PushBlockStream,
  RemoveShuffleMerge,
} from "../../protocol/block-transfer-message.ts";
import type { ExecutorChange } from "../executor-store.ts";
import type { ReaderChecksum } from "../merge/diagnose-merged-chunk.ts";
import type { MergedChunkQuery } from "../merge/merged-shuffle-file-manager.ts";

/** A loop asks the owner. The answer's type is behind each. */
export type OwnerQuestion =
  /** Wants every registration, now and later, as `apply`. Answer: nothing, once the first came. */
  | { readonly type: "follow" }
  /** Answer: nothing, once they are durable and every loop knows them. */
  | { readonly type: "write"; readonly changes: readonly ExecutorChange[] }
  /** Answer: nothing. */
  | { readonly type: "mergeRegister"; readonly appId: string; readonly info: ExecutorShuffleInfo }
  /** Answer: MergeStatuses. */
  | { readonly type: "mergeFinalize"; readonly message: FinalizeShuffleMerge }
  /** Answer: nothing. */
  | { readonly type: "mergeRemove"; readonly message: RemoveShuffleMerge }
  /** Answer: {@link MergedMetaFields}. */
  | { readonly type: "mergedMeta"; readonly query: MergedBlockMetaQuery }
  /** Answer: {@link BodyFields}. */
  | { readonly type: "mergedChunk"; readonly query: MergedChunkQuery }
  /** Answer: a cause. */
  | {
      readonly type: "mergedDiagnosis";
      readonly query: MergedChunkQuery;
      readonly reader: ReaderChecksum;
    }
  /** Answer: paths of directories. */
  | { readonly type: "mergeDirs"; readonly appId: string }
  /** All bytes of a push were sent. Answer: the bytes of the answer to its peer. */
  | { readonly type: "pushComplete"; readonly push: number };

/** A loop tells the owner. */
export type OwnerNews =
  | PushNews
  | { readonly type: "log"; readonly level: keyof Logger; readonly text: string };

/** A push comes in at a loop. */
export type PushNews =
  | { readonly type: "push"; readonly push: number; readonly message: PushBlockStream }
  | { readonly type: "pushBytes"; readonly push: number; readonly bytes: Uint8Array }
  | { readonly type: "pushFailed"; readonly push: number; readonly text: string };

/** The owner asks a loop. */
export type LoopQuestion =
  /** Answer: nothing, once it is known there. */
  | { readonly type: "apply"; readonly changes: readonly ExecutorChange[] }
  /** Answer: MetricsReport, null while it does not listen yet. */
  | { readonly type: "report" };

/** The owner tells a loop. */
export type LoopNews =
  | PushReply
  /** Limits have changed. */
  | { readonly type: "reconfigure"; readonly conf: ServiceLoopData["conf"] };

/** The owner has something to say about a push. */
export type PushReply =
  /** So many bytes of a push are no longer on their way. */
  | { readonly type: "pushTaken"; readonly push: number; readonly bytes: number }
  /** The disk behind a push is slow: its connection is to be held back, or no longer. */
  | { readonly type: "pushPaused" | "pushResumed"; readonly push: number };

/** A body that another loop can make: a part of a file, or bytes. */
export type BodyFields =
  | { readonly path: string; readonly offset: number; readonly length: number }
  | { readonly bytes: Uint8Array };

/** Answer to `mergedMeta`. */
export interface MergedMetaFields {
  readonly numChunks: number;
  readonly bitmaps: BodyFields;
}

/** What a loop is started with. */
export interface ServiceLoopData {
  /** Of the whole service, limits included: each of so many `loops` takes its share. */
  conf: Readonly<Record<string, string>>;
  readonly loops: number;
  readonly roots: readonly string[];
}
