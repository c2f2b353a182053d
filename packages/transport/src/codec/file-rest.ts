/**
 * The rest of a frame whose body the system began to send out of a file: it took what there was room for.
 * A piece of it is read and written, which tells when there is room again, and what follows is for the
 * system once more.
 */
import type { FileSegment } from "../buffer/file-segment.ts";
import { readExactly } from "../buffer/read-exactly.ts";
import type { HandlerContext } from "../channel/channel-handler.ts";
import { ASK_NEXT_TURN, type OpenFile } from "../platform/platform.ts";

/** What is held in memory of a peer that does not read. */
const PIECE_BYTES = 64 * 1024;

/** A frame of which `sentBytes` were sent. */
export interface BegunFrame {
  readonly header: Uint8Array;
  readonly segment: FileSegment;
  readonly file: OpenFile;
  readonly sentBytes: number;
}

/** Writes a piece of at most 64 KiB that `fill` puts into memory; resolves when the system took it. */
export type WriteFilled = (
  bytes: number,
  fill: (target: Uint8Array) => Promise<void>,
) => Promise<void>;

/**
 * Resolves when the system took everything.
 * @throws TransportError BODY_UNAVAILABLE, CHANNEL_CLOSED (rejects).
 */
export async function sendFileRest(
  context: HandlerContext,
  { file, header, segment, sentBytes }: BegunFrame,
  write: WriteFilled,
): Promise<void> {
  const end = header.length + segment.length;
  let sent = sentBytes;
  while (sent < end) {
    const headerRest = header.subarray(Math.min(sent, header.length));
    const fileBytes = Math.min(segment.length, end - sent);
    const position = segment.offset + segment.length - fileBytes;
    const count = context.sendFile(headerRest, file, position, fileBytes);
    if (count > 0) {
      sent += count;
    } else if (count === ASK_NEXT_TURN) {
      await nextTurn(context);
    } else {
      const bytes = Math.min(headerRest.length + fileBytes, PIECE_BYTES);
      await write(bytes, async (target) => {
        target.set(headerRest);
        const piece = target.subarray(headerRest.length);
        const progress = { position, count: file.readNow(piece, position) };
        await readExactly(file, segment.path, piece, progress);
      });
      sent += bytes;
    }
  }
}

function nextTurn(context: HandlerContext): Promise<void> {
  return new Promise((resolve) => {
    context.channel.clock.setImmediate(resolve);
  });
}
