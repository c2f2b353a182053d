import { ByteReader, TransportError } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import {
  BLOCK_PUSH_RETURN_CODES,
  type BlockTransferMessage,
  type BlockTransferMessageName,
  BlockTransferMessageType,
  CORRUPTION_CAUSES,
} from "./block-transfer-message.ts";
import { roaringBitmapBytes } from "./roaring-bitmap.ts";

type MessageReader = (reader: ByteReader) => BlockTransferMessage;

/** Readers of the fields behind the type byte; the order of the properties is the order on the wire. */
const READERS: { readonly [Name in BlockTransferMessageName]: MessageReader } = {
  OpenBlocks: (reader) => ({
    type: "OpenBlocks",
    appId: reader.readString(),
    execId: reader.readString(),
    blockIds: reader.readStringArray(),
  }),
  UploadBlock: (reader) => ({
    type: "UploadBlock",
    appId: reader.readString(),
    execId: reader.readString(),
    blockId: reader.readString(),
    metadata: reader.readByteArray(),
    blockData: reader.readByteArray(),
  }),
  RegisterExecutor: (reader) => ({
    type: "RegisterExecutor",
    appId: reader.readString(),
    execId: reader.readString(),
    executorInfo: {
      localDirs: reader.readStringArray(),
      subDirsPerLocalDir: reader.readInt32(),
      shuffleManager: reader.readString(),
    },
  }),
  StreamHandle: (reader) => ({
    type: "StreamHandle",
    streamId: reader.readInt64(),
    numChunks: reader.readInt32(),
  }),
  UploadBlockStream: (reader) => ({
    type: "UploadBlockStream",
    blockId: reader.readString(),
    metadata: reader.readByteArray(),
  }),
  RemoveBlocks: (reader) => ({
    type: "RemoveBlocks",
    appId: reader.readString(),
    execId: reader.readString(),
    blockIds: reader.readStringArray(),
  }),
  BlocksRemoved: (reader) => ({
    type: "BlocksRemoved",
    numRemovedBlocks: reader.readInt32(),
  }),
  FetchShuffleBlocks: readFetchShuffleBlocks,
  GetLocalDirsForExecutors: (reader) => ({
    type: "GetLocalDirsForExecutors",
    appId: reader.readString(),
    execIds: reader.readStringArray(),
  }),
  LocalDirsForExecutors: readLocalDirs,
  PushBlockStream: (reader) => ({
    type: "PushBlockStream",
    appId: reader.readString(),
    appAttemptId: reader.readInt32(),
    shuffleId: reader.readInt32(),
    shuffleMergeId: reader.readInt32(),
    mapIndex: reader.readInt32(),
    reduceId: reader.readInt32(),
    index: reader.readInt32(),
  }),
  FinalizeShuffleMerge: (reader) => ({
    type: "FinalizeShuffleMerge",
    appId: reader.readString(),
    appAttemptId: reader.readInt32(),
    shuffleId: reader.readInt32(),
    shuffleMergeId: reader.readInt32(),
  }),
  MergeStatuses: readMergeStatuses,
  FetchShuffleBlockChunks: readFetchShuffleBlockChunks,
  DiagnoseCorruption: (reader) => ({
    type: "DiagnoseCorruption",
    appId: reader.readString(),
    execId: reader.readString(),
    shuffleId: reader.readInt32(),
    mapId: reader.readBigInt64(),
    reduceId: reader.readInt32(),
    checksum: reader.readBigInt64(),
    algorithm: reader.readString(),
  }),
  CorruptionCause: (reader) => ({
    type: "CorruptionCause",
    cause: readName(reader, CORRUPTION_CAUSES, "corruption cause"),
  }),
  BlockPushReturnCode: (reader) => ({
    type: "BlockPushReturnCode",
    returnCode: readName(reader, BLOCK_PUSH_RETURN_CODES, "block push return code"),
    failureBlockId: reader.readString(),
  }),
  RemoveShuffleMerge: (reader) => ({
    type: "RemoveShuffleMerge",
    appId: reader.readString(),
    appAttemptId: reader.readInt32(),
    shuffleId: reader.readInt32(),
    shuffleMergeId: reader.readInt32(),
  }),
};

const READERS_BY_TYPE: ReadonlyMap<number, MessageReader> = new Map(
  Object.entries(BlockTransferMessageType).map(([name, type]) => [
    type,
    READERS[name as BlockTransferMessageName],
  ]),
);

/**
 * Reads one message. Byte fields of the result are views on `bytes`; whoever keeps one beyond the
 * life of `bytes` copies it. Bytes behind the message are ignored, as every peer does.
 *
 * @throws ShuffleError MESSAGE_UNKNOWN for a type byte without a message, MESSAGE_MALFORMED for
 *   anything cut short, out of range, or with lists that belong together and differ in length.
 */
export function decodeBlockTransferMessage(bytes: Uint8Array): BlockTransferMessage {
  const reader = new ByteReader(bytes);
  try {
    const type = reader.readInt8();
    const read = READERS_BY_TYPE.get(type);
    if (read === undefined)
      throw new ShuffleError("MESSAGE_UNKNOWN", `Unknown message type: ${type}`);
    return read(reader);
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    throw new ShuffleError("MESSAGE_MALFORMED", error.message, { cause: error });
  }
}

/** Spark checks the lengths only with assertions on; an answer that misses blocks is worse than none. */
function readFetchShuffleBlocks(reader: ByteReader): BlockTransferMessage {
  const appId = reader.readString();
  const execId = reader.readString();
  const shuffleId = reader.readInt32();
  const mapIds = reader.readBigInt64Array();
  const reduceIds = readLists(reader, mapIds.length);
  const batchFetchEnabled = reader.readBoolean();
  if (batchFetchEnabled && reduceIds.some((range) => range.length !== 2)) {
    throw new ShuffleError("MESSAGE_MALFORMED", "a batch request needs a start and an end per map");
  }
  const type = "FetchShuffleBlocks";
  return { type, appId, execId, shuffleId, mapIds, reduceIds, batchFetchEnabled };
}

function readFetchShuffleBlockChunks(reader: ByteReader): BlockTransferMessage {
  const appId = reader.readString();
  const execId = reader.readString();
  const shuffleId = reader.readInt32();
  const shuffleMergeId = reader.readInt32();
  const reduceIds = reader.readInt32Array();
  const chunkIds = readLists(reader, reduceIds.length);
  const type = "FetchShuffleBlockChunks";
  return { type, appId, execId, shuffleId, shuffleMergeId, reduceIds, chunkIds };
}

function readLocalDirs(reader: ByteReader): BlockTransferMessage {
  const execIds = reader.readStringArray();
  const counts = reader.readInt32Array();
  const allLocalDirs = reader.readStringArray();
  checkSameLength("executors and numbers of directories", execIds.length, counts.length);

  const localDirsByExec = new Map<string, string[]>();
  let used = 0;
  for (const [index, execId] of execIds.entries()) {
    const count = counts[index] ?? 0;
    if (count < 0 || count > allLocalDirs.length - used) {
      throw new ShuffleError("MESSAGE_MALFORMED", `${count} directories of executor ${execId}`);
    }
    localDirsByExec.set(execId, allLocalDirs.slice(used, used + count));
    used += count;
  }
  return { type: "LocalDirsForExecutors", localDirsByExec };
}

/** Bitmaps carry no length: each says in its own header where it ends. */
function readMergeStatuses(reader: ByteReader): BlockTransferMessage {
  const shuffleId = reader.readInt32();
  const shuffleMergeId = reader.readInt32();
  const bitmapCount = reader.readInt32();
  const rest = reader.rest();
  const bitmaps: Uint8Array[] = [];
  let at = 0;
  for (let index = 0; index < bitmapCount; index += 1) {
    const size = roaringBitmapBytes(rest, at);
    bitmaps.push(rest.subarray(at, at + size));
    at += size;
  }
  const tail = new ByteReader(rest.subarray(at));
  const reduceIds = tail.readInt32Array();
  const sizes = tail.readBigInt64Array();
  // A negative count reads no bitmap and differs from every length.
  checkSameLength("bitmaps and reduce ids", bitmapCount, reduceIds.length);
  checkSameLength("sizes and reduce ids", sizes.length, reduceIds.length);
  return { type: "MergeStatuses", shuffleId, shuffleMergeId, bitmaps, reduceIds, sizes };
}

function readLists(reader: ByteReader, countExpected: number): number[][] {
  const count = reader.readInt32();
  checkSameLength("ids and lists that belong to them", count, countExpected);
  const lists: number[][] = [];
  for (let index = 0; index < count; index += 1) lists.push(reader.readInt32Array());
  return lists;
}

function readName<Name extends string>(
  reader: ByteReader,
  names: readonly Name[],
  what: string,
): Name {
  const ordinal = reader.readInt8();
  const name = names[ordinal];
  if (name === undefined)
    throw new ShuffleError("MESSAGE_MALFORMED", `Unknown ${what}: ${ordinal}`);
  return name;
}

function checkSameLength(what: string, first: number, second: number): void {
  if (first === second) return;
  throw new ShuffleError("MESSAGE_MALFORMED", `${what}: ${first} and ${second}`);
}
