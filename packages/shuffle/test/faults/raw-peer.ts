/** A peer that speaks the protocol byte by byte, and wrongly where a test wants it to. */
import type { Network, Socket } from "@bm/transport";

const CHUNK_FETCH_REQUEST = 0;
const CHUNK_FETCH_SUCCESS = 1;
const CHUNK_FETCH_FAILURE = 2;
const RPC_REQUEST = 3;
const RPC_RESPONSE = 4;
const STREAM_HANDLE = 3;
const STREAM_ID = 77n;

/** What a peer does when it is asked; it sees one connection. */
export interface RawAnswers {
  /** Asked for blocks. */
  onOpen(peer: RawConnection): void;
  /** Asked for a chunk. */
  onChunk(peer: RawConnection, index: number): void;
}

/** Listens on a port of a network. */
export async function listenRaw(
  network: Network,
  port: number,
  answers: RawAnswers,
): Promise<void> {
  await network.listen({ host: "127.0.0.1", port }, (socket) => new RawConnection(socket, answers));
}

/** One connection of a raw peer. */
export class RawConnection {
  readonly #socket: Socket;
  readonly #answers: RawAnswers;
  #bytes = Buffer.alloc(0);
  #requestId = 0n;

  constructor(socket: Socket, answers: RawAnswers) {
    this.#socket = socket;
    this.#answers = answers;
    socket.start({
      onData: (bytes) => this.#take(bytes),
      onEnd: () => socket.destroy(),
      onClose: () => {},
    });
  }

  /** Announces so many chunks. */
  handle(numChunks: number): void {
    const body = Buffer.alloc(13);
    body[0] = STREAM_HANDLE;
    body.writeBigInt64BE(STREAM_ID, 1);
    body.writeInt32BE(numChunks, 9);
    const header = Buffer.alloc(12);
    header.writeBigInt64BE(this.#requestId);
    header.writeInt32BE(body.length, 8);
    this.#frame(RPC_RESPONSE, [header, body]);
  }

  /** Sends a chunk; `declared` is the length that its frame claims to have, if another. */
  chunk(index: number, content: string, declared?: number): void {
    this.#frame(CHUNK_FETCH_SUCCESS, [chunkId(index), Buffer.from(content)], declared);
  }

  fail(index: number, text: string): void {
    const length = Buffer.alloc(4);
    length.writeInt32BE(text.length);
    this.#frame(CHUNK_FETCH_FAILURE, [chunkId(index), length, Buffer.from(text)]);
  }

  /** Sends the rest of nothing, and closes. */
  end(): void {
    this.#socket.end();
  }

  #frame(type: number, pieces: readonly Buffer[], declared?: number): void {
    const payload = Buffer.concat([Buffer.of(type), ...pieces]);
    const length = Buffer.alloc(8);
    length.writeBigInt64BE(BigInt(declared ?? payload.length + 8));
    this.#socket.write([length, payload], () => {});
  }

  #take(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= 8) {
      const length = Number(this.#bytes.readBigInt64BE());
      if (this.#bytes.length < length) return;
      const frame = this.#bytes.subarray(8, length);
      this.#bytes = this.#bytes.subarray(length);
      this.#asked(frame);
    }
  }

  #asked(frame: Buffer): void {
    if (frame[0] === RPC_REQUEST) {
      this.#requestId = frame.readBigInt64BE(1);
      this.#answers.onOpen(this);
    } else if (frame[0] === CHUNK_FETCH_REQUEST) {
      this.#answers.onChunk(this, frame.readInt32BE(9));
    }
  }
}

function chunkId(index: number): Buffer {
  const id = Buffer.alloc(12);
  id.writeBigInt64BE(STREAM_ID);
  id.writeInt32BE(index, 8);
  return id;
}
