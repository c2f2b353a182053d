/**
 * The two halves on bare node:net, as a ceiling: no ids, no pipeline, answers in order.
 *
 *     request:  int32 length of the whole request, int32 bytes wanted, int32 offset, padding
 *     answer:   the bytes wanted of the memory region, without a header
 */
import net from "node:net";
import { chunkOffset, MEMORY_REGION_BYTES, regionBytes } from "@bm/interop";
import type { Answers, Connect, Link, ServerCounters } from "../load/link.ts";
import { regionByte } from "../load/region-check.ts";
import { chunkBytesAt, type Workload } from "../suites/workload.ts";
import type { BenchServer, NodeContender, Place } from "./contender.ts";
import { COUNTERS, countersOfThisProcess } from "./request-body.ts";

/** See the file comment. */
export const bareNet: NodeContender = { listen, connectTo };

const HEADER_BYTES = 12;

async function listen({ host, port }: Place): Promise<BenchServer> {
  const region = regionBytes(MEMORY_REGION_BYTES);
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    serve(socket, region);
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen({ host, port, backlog: 65_535 }, listening.resolve);
  await listening.promise;
  const { port: bound } = server.address() as net.AddressInfo;
  return { port: bound, close: () => closeServer(server, sockets) };
}

function closeServer(server: net.Server, sockets: ReadonlySet<net.Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  return new Promise((resolve) => void server.close(() => resolve()));
}

function serve(socket: net.Socket, region: Buffer): void {
  let head: Buffer = Buffer.alloc(0);
  let bodyBytesMissing = 0;
  socket.on("data", (read: Buffer) => {
    let bytes = head.length > 0 ? Buffer.concat([head, read]) : read;
    head = Buffer.alloc(0);
    socket.cork();
    while (bytes.length > 0) {
      const skipped = Math.min(bodyBytesMissing, bytes.length);
      bodyBytesMissing -= skipped;
      bytes = bytes.subarray(skipped);
      if (bytes.length < HEADER_BYTES) {
        head = bytes;
        break;
      }
      const wanted = bytes.readInt32BE(4);
      const offset = bytes.readInt32BE(8);
      if (wanted === COUNTERS) socket.write(lengthPrefixed(countersOfThisProcess()));
      else socket.write(region.subarray(offset, offset + wanted));
      bodyBytesMissing = bytes.readInt32BE(0);
    }
    socket.uncork();
  });
}

function lengthPrefixed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function connectTo({ host, port }: Place): Connect {
  return async (workload) => {
    const socket = net.connect({ host, port, noDelay: true });
    const connected = Promise.withResolvers<void>();
    socket.once("connect", connected.resolve);
    socket.once("error", connected.reject);
    await connected.promise;
    return new NetLink(socket, workload);
  };
}

/** An answer that is awaited. */
interface Expected {
  readonly answers: Answers;
  readonly bytes: number;
  readonly offset: number;
}

class NetLink implements Link {
  readonly #socket: net.Socket;
  readonly #workload: Workload;
  readonly #expected: Expected[] = [];
  #received = 0;
  #counters: PromiseWithResolvers<ServerCounters> | null = null;
  #isClosed = false;

  constructor(socket: net.Socket, workload: Workload) {
    this.#socket = socket;
    this.#workload = workload;
    socket.on("data", (bytes: Buffer) => this.#onData(bytes));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was lost")));
  }

  createSender(answers: Answers): (index: number) => void {
    const isChunk = this.#workload.chunkBytes.length > 0;
    const request = Buffer.alloc(Math.max(HEADER_BYTES, this.#workload.requestBytes), 0x5a);
    request.writeInt32BE(request.length, 0);
    return (index) => {
      const bytes = isChunk ? chunkBytesAt(this.#workload, index) : this.#workload.replyBytes;
      const offset = isChunk ? chunkOffset(MEMORY_REGION_BYTES, bytes, index) : 0;
      request.writeInt32BE(bytes, 4);
      request.writeInt32BE(offset, 8);
      this.#expected.push({ answers, bytes, offset });
      this.#socket.write(request);
    };
  }

  counters(): Promise<ServerCounters> {
    const request = Buffer.alloc(HEADER_BYTES);
    request.writeInt32BE(HEADER_BYTES, 0);
    request.writeInt32BE(COUNTERS, 4);
    this.#counters = Promise.withResolvers();
    this.#socket.write(request);
    return this.#counters.promise;
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#socket.closed) return Promise.resolve();
    const closed = new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.destroySoon();
    return closed;
  }

  #onData(read: Buffer): void {
    if (this.#counters !== null) {
      this.#counters.resolve(JSON.parse(read.subarray(4).toString()) as ServerCounters);
      this.#counters = null;
      return;
    }
    let bytes = read;
    this.#socket.cork();
    while (bytes.length > 0) bytes = this.#takeFrom(bytes);
    this.#socket.uncork();
  }

  #takeFrom(bytes: Buffer): Buffer {
    const expected = this.#expected[0];
    if (expected === undefined) throw new Error("bytes that nobody asked for");
    const taken = Math.min(bytes.length, expected.bytes - this.#received);
    const position = expected.offset + this.#received;
    if (
      bytes[0] !== regionByte(position) ||
      bytes[taken - 1] !== regionByte(position + taken - 1)
    ) {
      expected.answers.failed(new Error(`wrong byte near position ${position} of the region`));
    }
    this.#received += taken;
    if (this.#received === expected.bytes) {
      this.#received = 0;
      this.#expected.shift();
      expected.answers.answered(null);
    }
    return bytes.subarray(taken);
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    this.#counters?.reject(error);
    for (const { answers } of this.#expected) answers.failed(error);
  }
}
