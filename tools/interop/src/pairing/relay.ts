/** A link between two ends that can be slow, or break after a given byte. */
import { connect, createServer, type Server, type Socket } from "node:net";

/** How the link behaves. */
export interface RelayOptions {
  readonly port: number;
  /** Breaks it when this many bytes went in one direction; none of them is lost. */
  readonly cut?: {
    readonly after: number;
    readonly direction: "requests" | "answers";
    /** The two ends see an orderly end, or a reset. */
    readonly how: "end" | "reset";
    /** Only the first connection breaks. */
    readonly isOnce?: boolean;
  };
  /** Carries this many bytes in each tenth of a second, in each direction. */
  readonly bytesPerTick?: number;
}

const TICK_MS = 100;

/** See the file comment. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #options: RelayOptions;
  #connections = 0;

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: false }, (near) => this.#carry(near));
  }

  static async listen(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    relay.#server.once("error", reject).listen(0, "127.0.0.1", resolve);
    await promise;
    return relay;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(near: Socket): void {
    this.#connections += 1;
    const { cut } = this.#options;
    const isCut = cut !== undefined && (cut.isOnce !== true || this.#connections === 1);
    const far = connect(this.#options.port, "127.0.0.1");
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      // An end that vanished shows as the close of its socket.
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    }
    const after = (direction: string): number =>
      isCut && cut.direction === direction ? cut.after : Number.POSITIVE_INFINITY;
    this.#pipe(near, far, after("requests"));
    this.#pipe(far, near, after("answers"));
  }

  #pipe(from: Socket, to: Socket, bytesUntilCut: number): void {
    const { bytesPerTick = Number.POSITIVE_INFINITY } = this.#options;
    let left = bytesUntilCut;
    from.on("data", (bytes: Buffer) => {
      from.pause();
      const piece = bytes.subarray(0, left);
      left -= piece.length;
      carry(piece, to, bytesPerTick, () => {
        if (left === 0) this.#break(from, to);
        else from.resume();
      });
    });
    from.on("close", () => to.destroy());
  }

  #break(...ends: readonly Socket[]): void {
    for (const socket of ends) {
      if (this.#options.cut?.how === "reset") socket.resetAndDestroy();
      else socket.destroySoon();
    }
  }
}

/** Writes at the pace of the link; `done` follows when all of it is on its way. */
function carry(bytes: Buffer, to: Socket, bytesPerTick: number, done: () => void): void {
  const piece = bytes.subarray(0, bytesPerTick);
  const rest = bytes.subarray(piece.length);
  to.write(piece, () => {
    if (bytesPerTick === Number.POSITIVE_INFINITY) done();
    else if (rest.length === 0) setTimeout(done, TICK_MS);
    else setTimeout(() => carry(rest, to, bytesPerTick, done), TICK_MS);
  });
}
