import type { Listener, Network, Socket, SocketEvents } from "../../src/platform/platform.ts";

/** Keeps what a socket tells its owner. */
export class Recorder implements SocketEvents {
  /** In order: `data`, `end`, `close`, and whatever the test adds. */
  readonly log: string[] = [];
  readonly pieces: Buffer[] = [];
  closeError: Error | null = null;
  onPiece: (piece: Buffer) => void = () => {};
  readonly #waiters: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  get byteCount(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  onData(bytes: Uint8Array): void {
    // Borrowed: a copy is kept.
    const piece = Buffer.from(bytes);
    this.pieces.push(piece);
    this.note("data");
    this.onPiece(piece);
  }

  onEnd(): void {
    this.note("end");
  }

  onClose(error: Error | null): void {
    this.closeError = error;
    this.note("close");
  }

  note(event: string): void {
    this.log.push(event);
    for (const waiter of this.#waiters) if (waiter.isMet()) waiter.resolve();
  }

  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push({ isMet, resolve });
    });
  }

  saw(event: string): Promise<void> {
    return this.until(() => this.log.includes(event));
  }

  received(byteCount: number): Promise<void> {
    return this.until(() => this.byteCount >= byteCount);
  }
}

export interface Pair {
  readonly listener: Listener;
  readonly client: Socket;
  readonly server: Socket;
  readonly atClient: Recorder;
  readonly atServer: Recorder;
}

/** A listener, one connection to it, and what both ends see. */
export async function connectedPair(network: Network): Promise<Pair> {
  const atClient = new Recorder();
  const atServer = new Recorder();
  const accepted = Promise.withResolvers<Socket>();
  const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    socket.start(atServer);
    accepted.resolve(socket);
  });
  const client = await network.connect({ ...listener.address, timeoutMs: 5000 });
  client.start(atClient);
  return { listener, client, server: await accepted.promise, atClient, atServer };
}

export function write(socket: Socket, ...pieces: Uint8Array[]): Promise<Error | null> {
  return new Promise((resolve) => {
    socket.write(pieces, resolve);
  });
}

/** Lets the event loop go round, without a timer. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Bytes that differ at every position within reach, so that a lost or doubled piece shows. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2_654_435_761;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
