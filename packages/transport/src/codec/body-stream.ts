/** Sends a body that has to be waited for, piece by piece. */
import type { BodyReader, ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { OutboundFrame } from "./frame.ts";

/** A body that is open, and its first piece; null when it is empty. */
export interface OpenedBody {
  readonly reader: BodyReader;
  readonly first: Uint8Array | null;
}

/** Where pieces go. */
export interface PieceSink {
  /** Resolves when the system took the bytes. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** Called once, when the last piece of the frame was written, though maybe not taken. */
  onLastPiece(): void;
}

/**
 * Opens a body and reads its first piece, so that a failure can still be told to the peer. Never
 * rejects.
 */
export async function openFirst(body: ManagedBuffer): Promise<OpenedBody | Error> {
  let reader: BodyReader;
  try {
    reader = await body.open();
  } catch (error) {
    return error as Error;
  }
  try {
    return { reader, first: await reader.next() };
  } catch (error) {
    await reader.close();
    return error as Error;
  }
}

/**
 * Sends the frame, or what stands for it when its body could not be opened. Resolves when the system
 * took all of it; rejects when it broke off.
 */
export async function sendOpened(
  frame: OutboundFrame,
  opened: OpenedBody | Error,
  sink: PieceSink,
): Promise<void> {
  if (!(opened instanceof Error)) {
    await sendPieces(frame, opened, sink);
    return;
  }
  if (frame.substitute === null) throw opened;
  const written = sink.write([frame.substitute(opened)]);
  sink.onLastPiece();
  await written;
}

async function sendPieces(
  { header, body }: OutboundFrame,
  { reader, first }: OpenedBody,
  sink: PieceSink,
): Promise<void> {
  try {
    let restBytes = (body as ManagedBuffer).size - (first?.length ?? 0);
    let written = sink.write(first === null ? [header] : [header, first]);
    while (restBytes > 0) {
      // Of a peer that does not read, one piece is held and no more.
      if (reader.isInMemory) await written;
      // A piece stays valid until the second following next(): the previous write ends before that.
      const [piece] = await Promise.all([reader.next(), written]);
      if (piece === null) break;
      restBytes -= piece.length;
      written = sink.write([piece]);
    }
    if (reader.isInMemory) await written;
    sink.onLastPiece();
    await written;
    // Only now a reader knows that it gave everything.
    await reader.next();
  } finally {
    await reader.close();
  }
}
