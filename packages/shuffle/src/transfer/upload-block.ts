import { isShuffle, parseBlockId, type StorageLevel } from "@bm/block";
import type { ManagedBuffer, RequestOptions, TransportClient } from "@bm/transport";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { encodeUploadMetadata, type ScalaVersion } from "../protocol/upload-metadata.ts";
import { ShuffleError } from "../shuffle-error.ts";

/** What is brought to another executor, and how. */
export interface BlockUpload {
  readonly appId: string;
  readonly executorId: string;
  readonly blockId: string;
  /** Handed over, whatever happens. */
  readonly data: ManagedBuffer;
  readonly level: StorageLevel;
  readonly scalaVersion: ScalaVersion | undefined;
  /** Above this many bytes the data follows its header as a stream. */
  readonly messageBytesMax: number;
}

/**
 * Brings a block over a connection that `connect` gives. Files of a shuffle always go as streams: that
 * is how a peer tells them from blocks for its store.
 * @throws see `NettyBlockTransferService.uploadBlock`.
 */
export async function uploadBlock(
  connect: () => Promise<TransportClient>,
  upload: BlockUpload,
  options: RequestOptions,
): Promise<void> {
  const { blockId, data, level, messageBytesMax, scalaVersion } = upload;
  let client: TransportClient;
  let message: Uint8Array | null;
  try {
    const isStreamed = isShuffle(parseBlockId(blockId)) || data.size > messageBytesMax;
    client = await connect();
    message = isStreamed ? null : await uploadMessage(upload);
    if (options.signal?.aborted) throw aborted(options.signal.reason);
  } catch (error) {
    data.release();
    throw error;
  }
  if (message === null) {
    // From here on the transport releases the data, also when nobody waits for the answer any more.
    const metadata = encodeUploadMetadata(level, scalaVersion);
    const header = encodeBlockTransferMessage({ type: "UploadBlockStream", blockId, metadata });
    await client.uploadStream(header, data, options);
  } else {
    data.release();
    await client.sendRpc(message, options);
  }
}

async function uploadMessage(upload: BlockUpload): Promise<Uint8Array> {
  return encodeBlockTransferMessage({
    type: "UploadBlock",
    appId: upload.appId,
    execId: upload.executorId,
    blockId: upload.blockId,
    metadata: encodeUploadMetadata(upload.level, upload.scalaVersion),
    blockData: await upload.data.bytes(),
  });
}

function aborted(reason: unknown): ShuffleError {
  return new ShuffleError("FETCH_ABORTED", "the upload was given up", { cause: reason });
}
