import { connect, createServer, type Server, type Socket } from "node:net";

const HOST = "127.0.0.1";

/** What happens to the answers on one connection, counted in bytes from the server. */
export type Fault =
  | { readonly kind: "none" }
  /** The connection is reset behind that byte. */
  | { readonly kind: "cut"; readonly atByte: number }
  /** The connection ends in good order behind that byte, as if that were all. */
  | { readonly kind: "truncate"; readonly atByte: number }
  /** Nothing comes any more behind that byte, and nobody says why. */
  | { readonly kind: "silence"; readonly atByte: number }
  | { readonly kind: "delay"; readonly atByte: number; readonly ms: number }
  /** That byte arrives with one bit changed. */
  | { readonly kind: "flip"; readonly atByte: number; readonly bit: number }
  /** The connection is accepted and closed. */
  | { readonly kind: "refuse" };

/** Stands between a reader and a server, and does to each connection what it is told to. */
export class FaultyProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #serverPort: number;
  /** One for each of the next connections; those behind are left alone. */
  faults: Fault[] = [];
  connections = 0;

  private constructor(serverPort: number) {
    this.#serverPort = serverPort;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(serverPort: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(serverPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, HOST, resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(reader: Socket): void {
    this.connections += 1;
    const fault = this.faults.shift() ?? { kind: "none" };
    this.#keep(reader);
    if (fault.kind === "refuse") {
      reader.destroy();
      return;
    }
    const server = connect(this.#serverPort, HOST);
    this.#keep(server);
    reader.on("close", () => server.destroy());
    server.on("close", () => {
      if (fault.kind !== "silence") reader.destroy();
    });
    reader.pipe(server, { end: false });
    this.#forward(server, reader, fault);
  }

  #forward(server: Socket, reader: Socket, fault: Fault): void {
    let passed = 0;
    let isOver = false;
    server.on("data", (bytes: Buffer) => {
      if (isOver) return;
      const start = passed;
      passed += bytes.length;
      if (fault.kind === "none" || fault.kind === "refuse" || fault.atByte >= passed) {
        reader.write(bytes);
        return;
      }
      const at = Math.max(fault.atByte - start, 0);
      const isHit = fault.atByte >= start;
      if (fault.kind === "flip") {
        if (isHit) bytes[at] = (bytes[at] ?? 0) ^ (1 << fault.bit);
        reader.write(bytes);
      } else if (fault.kind === "delay") {
        if (isHit) {
          server.pause();
          setTimeout(() => server.resume(), fault.ms);
        }
        reader.write(bytes);
      } else {
        isOver = true;
        reader.write(bytes.subarray(0, at));
        if (fault.kind === "cut") reader.resetAndDestroy();
        if (fault.kind === "truncate") reader.end();
      }
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
