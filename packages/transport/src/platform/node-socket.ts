/**
 * One TCP connection on top of net.Socket.
 *
 * Writes of one turn leave together: they wait in a queue until the current callback of the event
 * loop is done, then go out as one gathered system call. A long turn sends what it has in between, so
 * that the peer begins while this end still works. Nothing more goes to Node while it keeps bytes that
 * the system did not take, so what is pending, what is written and what was lost is known here exactly.
 */
import type net from "node:net";
import { invariant } from "../invariant.ts";
import { connectionLost, writeFailed } from "./node-error.ts";
import { NodeOpenFile } from "./node-open-file.ts";
import {
  ASK_NEXT_TURN,
  ASK_WHEN_SENT,
  type OpenFile,
  type Socket,
  type SocketAddress,
  type SocketEvents,
} from "./platform.ts";
import type { ReadOwner, SocketReader } from "./socket-reader.ts";
import { TurnAllowance } from "./turn-allowance.ts";
import { type OnWritten, WriteBatch } from "./write-batch.ts";

/** Bounds how long `onWritten` and `pendingBytes` can lag behind what the system has taken. */
const BATCH_BYTES = 1024 * 1024;

/**
 * Work (see `WriteBatch.work`) after which a turn sends what it has. The first time soon, about 12
 * messages of 1 KiB: without it both ends take turns, each asleep while the other works (RPCs of 1 KiB,
 * 64 in flight: 1.8 to 2.2 times the speed). After that seldom, for each time costs a system call and
 * wakes the peer. Large bodies are no work here, and leave by the megabyte.
 */
const FIRST_FLUSH_WORK = 24 * 1024;
const NEXT_FLUSH_WORK = 256 * 1024;

/** What a file sends between two looks at the allowance. */
const FILE_BYTES_MAX = 1024 * 1024;

/** What a batch without bytes sends, so that it is reported in its turn. */
const NOTHING = new Uint8Array(0);

/** Called with each write that goes to the system. */
export type OnWrite = ((socket: NodeSocket) => void) | null;

type State = "open" | "ending" | "destroyed" | "closed";

/** See the file comment. Thrown errors of the owner's callbacks end this connection only. */
export class NodeSocket implements Socket, ReadOwner {
  readonly remoteAddress: SocketAddress;
  readonly #socket: net.Socket;
  readonly #reader: SocketReader | null;
  readonly #onWrite: OnWrite;
  #events: SocketEvents | null = null;
  #state: State = "open";
  #lostBy: Error | null = null;

  /** In order; null when nothing waits, for a list takes 32 bytes of an idle connection. */
  #waiting: WriteBatch[] | null = null;
  /** What Node has, until it reports; in order, null for nothing. The system may have taken it. */
  #inHand: WriteBatch[] | null = null;
  #pendingBytes = 0;
  #isFlushScheduled = false;
  /** What is written meanwhile leaves at the end of the read, without the queue of ticks. */
  #isReading = false;
  readonly #allowance = new TurnAllowance();

  #isPaused = false;
  #isDiscarding = false;

  /**
   * Null when the peer is gone already, so that not even its address is known. `reader` is what the
   * socket was made with; null when it has "data" events.
   */
  static adopt(
    socket: net.Socket,
    reader: SocketReader | null,
    onWrite: OnWrite = null,
  ): NodeSocket | null {
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) return null;
    const remote = { host: plainHost(remoteAddress), port: remotePort };
    return new NodeSocket(socket, reader, onWrite, remote);
  }

  private constructor(
    socket: net.Socket,
    reader: SocketReader | null,
    onWrite: OnWrite,
    remote: SocketAddress,
  ) {
    this.#socket = socket;
    this.#reader = reader;
    this.#onWrite = onWrite;
    this.remoteAddress = remote;
    socket.on("error", (error) => {
      this.#lostBy ??= connectionLost(error);
    });
    socket.on("end", () => this.guard(() => this.#events?.onEnd()));
    socket.on("close", () => this.#onClose());
  }

  get localAddress(): SocketAddress {
    const { localAddress = "", localPort = 0 } = this.#socket;
    return { host: plainHost(localAddress), port: localPort };
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  start(events: SocketEvents): void {
    invariant(this.#events === null, "a socket is started once");
    this.#events = events;
    if (this.#state === "closed") queueMicrotask(() => events.onClose(this.#lostBy));
    else if (this.#reader === null) {
      this.#socket.on("data", (bytes: Buffer) => this.onBytes(bytes));
    } else {
      this.#reader.owner = this;
      this.#socket.resume();
    }
  }

  /** For the reader. */
  readTarget(): Uint8Array | null {
    return this.#isDiscarding ? null : (this.#events?.readTarget?.() ?? null);
  }

  /** For the reader. */
  onBytes(bytes: Uint8Array): void {
    if (this.#isDiscarding) return;
    this.#isReading = true;
    try {
      this.#events?.onData(bytes);
    } catch (error) {
      this.#fail(error);
    }
    this.#isReading = false;
    if (this.#waiting !== null) this.#flushNow();
  }

  write(pieces: readonly Uint8Array[], onWritten: OnWritten | null): void {
    if (this.#state !== "open") {
      this.#refuse(onWritten);
      return;
    }
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    this.#pendingBytes += bytes;
    const batch = this.#lastBatch();
    batch.add(pieces, bytes, onWritten);
    const enough = this.#inHand === null ? FIRST_FLUSH_WORK : NEXT_FLUSH_WORK;
    if (batch.work >= enough) this.#flushNow();
    else if (!this.#isReading) this.#scheduleFlush();
  }

  sendFile(header: Uint8Array, file: OpenFile, position: number, length: number): number {
    if (this.#state !== "open" || !(file instanceof NodeOpenFile && file.canSend)) return 0;
    if (this.#allowance.isSpent) return ASK_NEXT_TURN;
    if (this.#waiting !== null) this.flush();
    if (this.#waiting !== null || !this.#hasNodeSentAll) return ASK_WHEN_SENT;
    const bytes = Math.min(length, FILE_BYTES_MAX);
    const count = file.sendNow(descriptorOf(this.#socket), header, position, bytes);
    if (count === 0) return 0;
    this.#allowance.spend(count);
    this.#onWrite?.(this);
    return count;
  }

  pauseReading(): void {
    this.#isPaused = true;
    if (this.#state === "ending") this.#discardFromNowOn();
    else this.#socket.pause();
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    if (this.#isPaused || this.#events === null) this.#discardFromNowOn();
    this.#endWhenAllIsWritten();
  }

  destroy(): void {
    if (this.#state === "closed") return;
    this.#state = "destroyed";
    this.#socket.destroy();
  }

  /** Runs a callback of the owner. What it throws ends this connection, never the process. */
  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#lostBy ??= error instanceof Error ? error : new Error(String(error));
    this.destroy();
  }

  /** Reads on, only to see the peer's end: closing with unread bytes would reset the connection. */
  #discardFromNowOn(): void {
    this.#isDiscarding = true;
    this.#socket.resume();
  }

  #lastBatch(): WriteBatch {
    this.#waiting ??= [];
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.bytes < BATCH_BYTES) return last;
    const batch = new WriteBatch();
    this.#waiting.push(batch);
    return batch;
  }

  /** Only then is it given more. */
  get #hasNodeSentAll(): boolean {
    return this.#inHand === null || this.#socket.writableLength === 0;
  }

  #flushNow(): void {
    if (this.#allowance.isSpent) this.#scheduleFlush();
    else this.flush();
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled || !this.#hasNodeSentAll) return;
    this.#isFlushScheduled = true;
    if (this.#allowance.isSpent) setImmediate(flush, this);
    else process.nextTick(flush, this);
  }

  /** For the function below. */
  flush(): void {
    this.#isFlushScheduled = false;
    if (this.#state === "destroyed" || this.#state === "closed") return;
    if (this.#waiting === null || !this.#hasNodeSentAll) return;
    const batch = this.#takeBatch(this.#waiting);
    this.#inHand ??= [];
    this.#inHand.push(batch);
    this.#allowance.spend(batch.bytes);
    this.#onWrite?.(this);
    const pieces = batch.finish();
    const last = pieces.pop() ?? NOTHING;
    if (pieces.length > 0) this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.write(last, (error) => {
      // "close" fails what is pending then. Older Nodes report what a destroyed socket drops as written.
      if (error || this.#state === "destroyed") return;
      this.#onBatchWritten(batch);
    });
    if (pieces.length > 0) this.#socket.uncork();
  }

  #takeBatch(waiting: WriteBatch[]): WriteBatch {
    const batch = waiting.shift();
    invariant(batch !== undefined, "a list of what waits is not empty");
    if (waiting.length === 0) this.#waiting = null;
    return batch;
  }

  #onBatchWritten(batch: WriteBatch): void {
    const first = this.#inHand?.shift();
    invariant(first === batch, "Node reports in the order of the writes");
    if (this.#inHand?.length === 0) this.#inHand = null;
    this.#pendingBytes -= batch.bytes;
    this.guard(() => this.#events?.onSent?.());
    this.#report(batch.end(true), null);
    if (this.#waiting !== null) this.#scheduleFlush();
    else if (this.#state === "ending") this.#endWhenAllIsWritten();
  }

  #endWhenAllIsWritten(): void {
    if (this.#waiting === null && this.#inHand === null) this.#socket.end();
  }

  #report(reports: readonly OnWritten[], error: Error | null): void {
    for (const onWritten of reports) {
      try {
        onWritten(error);
      } catch (failure) {
        this.#fail(failure);
      }
    }
  }

  #refuse(onWritten: OnWritten | null): void {
    if (onWritten === null) return;
    if (this.#state === "ending" || this.#state === "closed") {
      queueMicrotask(() => this.guard(() => onWritten(writeFailed(this.#lostBy))));
    } else {
      // In order behind what is being lost.
      this.#lastBatch().add([], 0, onWritten);
    }
  }

  #onClose(): void {
    this.#state = "closed";
    const lost = [...(this.#inHand ?? []), ...(this.#waiting ?? [])];
    this.#inHand = null;
    this.#waiting = null;
    this.#pendingBytes = 0;
    for (const batch of lost) this.#report(batch.end(false), writeFailed(this.#lostBy));
    this.guard(() => this.#events?.onClose(this.#lostBy));
  }
}

/** Not a closure, so that idle connections hold none. */
function flush(socket: NodeSocket): void {
  socket.flush();
}

/** -1 of a socket that is gone; no call takes that for one. */
function descriptorOf(socket: net.Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle: { fd?: number } | null };
  return handle?.fd ?? -1;
}

/** IPv4 as a dual-stack socket writes it loses its IPv6 prefix. */
function plainHost(host: string): string {
  return host.startsWith("::ffff:") && host.includes(".") ? host.slice("::ffff:".length) : host;
}
