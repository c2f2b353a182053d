import { connect, createServer, type Server, type Socket } from "node:net";
import type { Fault } from "./fault.ts";

const HOST = "127.0.0.1";

/** Stands between a reader and a server, and does to each connection what it is told to. */
export class FaultyProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #serverPort: () => number;
  /** One for each of the next connections; those behind are left alone. */
  faults: Fault[] = [];

  private constructor(serverPort: () => number) {
    this.#serverPort = serverPort;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** `serverPort` is asked for at each connection. */
  static async start(serverPort: () => number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(serverPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, HOST, resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  /** Ends every connection and listens no more. */
  async stop(): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Ends every connection. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(reader: Socket): void {
    const fault = this.faults.shift() ?? { kind: "none" };
    this.#keep(reader);
    if (fault.kind === "refuse") {
      reader.destroy();
      return;
    }
    const server = connect(this.#serverPort(), HOST);
    this.#keep(server);
    reader.on("close", () => server.destroy());
    server.on("close", () => {
      if (fault.kind !== "silence") reader.destroy();
    });
    reader.pipe(server, { end: false });
    forward(server, reader, fault);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

function forward(server: Socket, reader: Socket, fault: Fault): void {
  let passed = 0;
  server.on("data", (bytes: Buffer) => {
    const start = passed;
    passed += bytes.length;
    if (fault.kind === "flip") flip(bytes, start, fault);
    if (fault.kind === "delay" && start <= fault.atByte && fault.atByte < passed) {
      server.pause();
      setTimeout(() => server.resume(), fault.ms);
    }
    const rest = endOf(fault) - start;
    if (rest > 0) reader.write(bytes.subarray(0, rest));
    if (rest > bytes.length || rest <= 0) return;
    if (fault.kind === "cut") reader.resetAndDestroy();
    if (fault.kind === "truncate") reader.end();
  });
}

/** Bytes that pass at all. */
function endOf(fault: Fault): number {
  const isEnd = fault.kind === "cut" || fault.kind === "truncate" || fault.kind === "silence";
  return isEnd ? fault.atByte + 1 : Number.POSITIVE_INFINITY;
}

function flip(bytes: Buffer, start: number, fault: Extract<Fault, { kind: "flip" }>): void {
  const { atByte, bit, every } = fault;
  const skipped = Math.max(0, Math.ceil((start - atByte) / every));
  for (let at = atByte + skipped * every - start; at < bytes.length; at += every) {
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  }
}
