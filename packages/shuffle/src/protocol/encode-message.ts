import { ByteWriter } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";
import {
  BLOCK_PUSH_RETURN_CODES,
  type BlockTransferMessage,
  type BlockTransferMessageName,
  BlockTransferMessageType,
  CORRUPTION_CAUSES,
} from "./block-transfer-message.ts";

type MessageOf<Name extends BlockTransferMessageName> = Extract<
  BlockTransferMessage,
  { type: Name }
>;
/** Before texts, byte fields and lists. */
const COUNT_BYTES = 4;
const NUMBER_BYTES_MAX = 8;
const UTF8_BYTES_PER_UNIT_MAX = 3;

type MessageWriter<Message> = (writer: ByteWriter, message: Message) => void;

/** Writers of the fields behind the type byte. */
const WRITERS: { readonly [Name in BlockTransferMessageName]: MessageWriter<MessageOf<Name>> } = {
  OpenBlocks: writeBlockList,
  UploadBlock: (writer, { appId, execId, blockId, metadata, blockData }) => {
    writer.writeString(appId).writeString(execId).writeString(blockId);
    writer.writeByteArray(metadata).writeByteArray(blockData);
  },
  RegisterExecutor: (writer, { appId, execId, executorInfo }) => {
    writer.writeString(appId).writeString(execId);
    writer.writeStringArray(executorInfo.localDirs).writeInt32(executorInfo.subDirsPerLocalDir);
    writer.writeString(executorInfo.shuffleManager);
  },
  StreamHandle: (writer, { streamId, numChunks }) => {
    writer.writeInt64(streamId).writeInt32(numChunks);
  },
  UploadBlockStream: (writer, { blockId, metadata }) => {
    writer.writeString(blockId).writeByteArray(metadata);
  },
  RemoveBlocks: writeBlockList,
  BlocksRemoved: (writer, { numRemovedBlocks }) => {
    writer.writeInt32(numRemovedBlocks);
  },
  FetchShuffleBlocks: (writer, message) => {
    const { appId, execId, shuffleId, mapIds, reduceIds, batchFetchEnabled } = message;
    writer.writeString(appId).writeString(execId).writeInt32(shuffleId).writeInt64Array(mapIds);
    writeLists(writer, reduceIds, mapIds.length);
    writer.writeBoolean(batchFetchEnabled);
  },
  GetLocalDirsForExecutors: (writer, { appId, execIds }) => {
    writer.writeString(appId).writeStringArray(execIds);
  },
  LocalDirsForExecutors: (writer, { localDirsByExec }) => {
    const lists = [...localDirsByExec.values()];
    writer.writeStringArray([...localDirsByExec.keys()]);
    writer.writeInt32Array(lists.map((dirs) => dirs.length)).writeStringArray(lists.flat());
  },
  PushBlockStream: (writer, message) => {
    writeMergeId(writer, message);
    writer.writeInt32(message.mapIndex).writeInt32(message.reduceId).writeInt32(message.index);
  },
  FinalizeShuffleMerge: writeMergeId,
  MergeStatuses: (writer, { shuffleId, shuffleMergeId, bitmaps, reduceIds, sizes }) => {
    checkSameLength(bitmaps.length, reduceIds.length);
    checkSameLength(sizes.length, reduceIds.length);
    writer.writeInt32(shuffleId).writeInt32(shuffleMergeId).writeInt32(bitmaps.length);
    for (const bitmap of bitmaps) writer.writeBytes(bitmap);
    writer.writeInt32Array(reduceIds).writeInt64Array(sizes);
  },
  FetchShuffleBlockChunks: (writer, message) => {
    const { appId, execId, shuffleId, shuffleMergeId, reduceIds, chunkIds } = message;
    writer.writeString(appId).writeString(execId).writeInt32(shuffleId).writeInt32(shuffleMergeId);
    writer.writeInt32Array(reduceIds);
    writeLists(writer, chunkIds, reduceIds.length);
  },
  DiagnoseCorruption: (writer, message) => {
    const { appId, execId, shuffleId, mapId, reduceId, checksum, algorithm } = message;
    writer.writeString(appId).writeString(execId).writeInt32(shuffleId).writeInt64(mapId);
    writer.writeInt32(reduceId).writeInt64(checksum).writeString(algorithm);
  },
  CorruptionCause: (writer, { cause }) => {
    writer.writeInt8(CORRUPTION_CAUSES.indexOf(cause));
  },
  BlockPushReturnCode: (writer, { returnCode, failureBlockId }) => {
    writer.writeInt8(BLOCK_PUSH_RETURN_CODES.indexOf(returnCode)).writeString(failureBlockId);
  },
  RemoveShuffleMerge: writeMergeId,
};

/**
 * The bytes of a message, type byte first, owned by the caller.
 * @throws ShuffleError MESSAGE_MALFORMED when lists that belong together differ in length.
 */
export function encodeBlockTransferMessage(message: BlockTransferMessage): Buffer {
  const writer = new ByteWriter(bytesMax(message));
  writer.writeInt8(BlockTransferMessageType[message.type]);
  const writeFields = WRITERS[message.type] as MessageWriter<BlockTransferMessage>;
  writeFields(writer, message);
  return writer.finish();
}

/** More than `value` can take on the wire, so that the writer never has to grow and copy. */
function bytesMax(value: unknown): number {
  if (typeof value === "string") return COUNT_BYTES + UTF8_BYTES_PER_UNIT_MAX * value.length;
  if (value instanceof Uint8Array) return COUNT_BYTES + value.length;
  if (typeof value !== "object" || value === null) return NUMBER_BYTES_MAX;
  // Bitmaps, lists, maps of lists and plain objects; a map is written as three lists.
  const isIterable = Array.isArray(value) || value instanceof Map;
  const members: Iterable<unknown> = isIterable ? value : Object.values(value);
  let bytes = 3 * COUNT_BYTES;
  for (const member of members) bytes += bytesMax(member);
  return bytes;
}

function writeBlockList(
  writer: ByteWriter,
  message: MessageOf<"OpenBlocks"> | MessageOf<"RemoveBlocks">,
): void {
  writer.writeString(message.appId).writeString(message.execId).writeStringArray(message.blockIds);
}

function writeMergeId(
  writer: ByteWriter,
  message: MessageOf<"PushBlockStream" | "FinalizeShuffleMerge" | "RemoveShuffleMerge">,
): void {
  writer.writeString(message.appId).writeInt32(message.appAttemptId);
  writer.writeInt32(message.shuffleId).writeInt32(message.shuffleMergeId);
}

function writeLists(
  writer: ByteWriter,
  lists: readonly (readonly number[])[],
  countExpected: number,
): void {
  checkSameLength(lists.length, countExpected);
  writer.writeInt32(lists.length);
  for (const list of lists) writer.writeInt32Array(list);
}

function checkSameLength(length: number, expected: number): void {
  if (length === expected) return;
  throw new ShuffleError("MESSAGE_MALFORMED", `${length} elements that belong to ${expected}`);
}
