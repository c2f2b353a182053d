/**
 * One end of a connection in memory. Each direction has a pipe of bounded size, like the buffers of
 * the kernel; bytes move in turns of the clock.
 */
import { invariant } from "../invariant.ts";
import { connectionLost, writeFailed } from "../platform/node-error.ts";
import {
  ASK_WHEN_SENT,
  type Clock,
  type OpenFile,
  type Socket,
  type SocketAddress,
  type SocketEvents,
} from "../platform/platform.ts";
import { systemError } from "../platform/system-error.ts";

/** As much as Node reads at a time. */
const READ_BYTES = 64 * 1024;

/** Overwrites delivered bytes, so that whoever keeps them without a copy is found out. */
const STALE_BYTE = 0xdd;

/** Bytes that are about to arrive. */
export interface MemoryDelivery {
  readonly from: SocketAddress;
  readonly to: SocketAddress;
  /** Bytes that can be delivered in one piece now. */
  readonly bytes: number;
  /** Bytes delivered before in this direction. */
  readonly deliveredBytes: number;
}

/** How many of the bytes arrive as the next piece, or that the connection is lost instead. */
export type DeliveryFault = (delivery: MemoryDelivery) => number | "reset";

/** One end of a connection, and the way to the other. */
export interface MemorySocketOptions {
  readonly clock: Clock;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly pipeBytes: number;
  readonly onDeliver: DeliveryFault;
}

interface PendingWrite {
  /** What the pipe has not taken yet. */
  rest: Uint8Array[];
  restBytes: number;
  readonly onWritten: ((error: Error | null) => void) | null;
}

/** Two ends that are connected with each other. */
export function connectedPair(options: MemorySocketOptions): [MemorySocket, MemorySocket] {
  const near = new MemorySocket(options);
  const far = new MemorySocket({ ...options, local: options.remote, remote: options.local });
  near.peer = far;
  far.peer = near;
  return [near, far];
}

/** See the file comment. Behaves as a socket of the node platform does. */
export class MemorySocket implements Socket {
  readonly remoteAddress: SocketAddress;
  readonly localAddress: SocketAddress;
  peer: MemorySocket | null = null;
  readonly #options: MemorySocketOptions;
  #events: SocketEvents | null = null;
  #state: "open" | "ending" | "destroyed" | "closed" = "open";
  #lostBy: Error | null = null;
  #isTurnScheduled = false;

  #writes: PendingWrite[] = [];
  #pendingBytes = 0;
  #isFinSent = false;

  /** What arrived and was not delivered yet. */
  #arrived: Buffer[] = [];
  #arrivedBytes = 0;
  #deliveredBytes = 0;
  #ending: "no" | "fin" | "reset" = "no";
  #isEndSeen = false;
  #isPaused = false;
  #isDiscarding = false;

  constructor(options: MemorySocketOptions) {
    this.#options = options;
    this.remoteAddress = options.remote;
    this.localAddress = options.local;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  start(events: SocketEvents): void {
    invariant(this.#events === null, "a socket is started once");
    this.#events = events;
    if (this.#state === "closed") queueMicrotask(() => events.onClose(this.#lostBy));
    else this.#schedule();
  }

  write(pieces: readonly Uint8Array[], onWritten: ((error: Error | null) => void) | null): void {
    if (this.#state === "ending" || this.#state === "closed") {
      queueMicrotask(() => this.guard(() => onWritten?.(writeFailed(this.#lostBy))));
      return;
    }
    const rest = pieces.filter((piece) => piece.length > 0);
    const restBytes = rest.reduce((sum, piece) => sum + piece.length, 0);
    if (this.#state === "open") this.#pendingBytes += restBytes;
    this.#writes.push({ rest, restBytes, onWritten });
    this.#schedule();
  }

  sendFile(header: Uint8Array, file: OpenFile, position: number, length: number): number {
    if (this.#state !== "open") return 0;
    if (this.#writes.length > 0) return ASK_WHEN_SENT;
    const whole = Buffer.alloc(header.length + length);
    whole.set(header);
    if (file.readNow(whole.subarray(header.length), position) < length) return 0;
    return this.peer?.accept(whole) ?? 0;
  }

  pauseReading(): void {
    this.#isPaused = true;
    if (this.#state === "ending") this.#discardFromNowOn();
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#schedule();
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    if (this.#isPaused || this.#events === null) this.#discardFromNowOn();
    this.#schedule();
  }

  destroy(): void {
    if (this.#state === "destroyed" || this.#state === "closed") return;
    this.#state = "destroyed";
    if (!this.#isFinSent) this.peer?.noteEnding(this.#arrivedBytes > 0 ? "reset" : "fin");
    this.#schedule();
  }

  /** Runs a callback of the owner. What it throws ends this connection, never the process. */
  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#lostBy ??= error instanceof Error ? error : new Error(String(error));
      this.destroy();
    }
  }

  /** Breaks the connection as a network does: both ends lose it. */
  reset(): void {
    this.lose();
    this.peer?.lose();
  }

  /** The peer has sent its last byte, or is gone. */
  noteEnding(how: "fin" | "reset"): void {
    this.#ending = how;
    this.#schedule();
  }

  lose(): void {
    if (this.#state === "destroyed" || this.#state === "closed") return;
    this.#lostBy ??= connectionLost(systemError("ECONNRESET", "read", "socket"));
    this.#state = "destroyed";
    this.#schedule();
  }

  /** Takes what fits, as a copy; null when this end is gone. */
  accept(piece: Uint8Array): number | null {
    if (this.#state === "destroyed" || this.#state === "closed") return null;
    const bytes = Math.min(piece.length, this.#options.pipeBytes - this.#arrivedBytes);
    if (bytes === 0) return 0;
    this.#arrived.push(Buffer.from(piece.subarray(0, bytes)));
    this.#arrivedBytes += bytes;
    this.#schedule();
    return bytes;
  }

  /** There is room in the pipe again. */
  wake(): void {
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isTurnScheduled || this.#state === "closed") return;
    this.#isTurnScheduled = true;
    this.#options.clock.setImmediate(() => {
      this.#isTurnScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#isAlive()) this.#send();
    if (this.#isAlive()) this.#receive();
    const isOver = this.#isFinSent && this.#isEndSeen;
    if (isOver || this.#state === "destroyed") this.#close();
  }

  #isAlive(): boolean {
    return this.#state === "open" || this.#state === "ending";
  }

  #send(): void {
    for (let write = this.#writes[0]; write !== undefined; write = this.#writes[0]) {
      const isTaken = this.#offer(write);
      if (!isTaken) return;
      this.#writes.shift();
      const { onWritten } = write;
      this.guard(() => this.#events?.onSent?.());
      this.guard(() => onWritten?.(null));
    }
    if (this.#state !== "ending" || this.#isFinSent) return;
    this.#isFinSent = true;
    this.peer?.noteEnding("fin");
  }

  /** False when something is left, because the pipe is full or the peer is gone. */
  #offer(write: PendingWrite): boolean {
    for (let piece = write.rest[0]; piece !== undefined; piece = write.rest[0]) {
      const taken = this.peer?.accept(piece) ?? null;
      if (taken === null) {
        this.lose();
        return false;
      }
      this.#pendingBytes -= taken;
      if (taken < piece.length) {
        write.rest[0] = piece.subarray(taken);
        return false;
      }
      write.rest.shift();
    }
    return true;
  }

  #receive(): void {
    if (this.#isDiscarding) this.#discard();
    else if (this.#isPaused || this.#events === null) return;
    else if (this.#arrivedBytes > 0) this.#deliver();
    if (this.#arrivedBytes > 0) this.#schedule();
    else if (this.#isAlive()) this.#noticeEnd();
  }

  #deliver(): void {
    const bytes = Math.min(this.#arrivedBytes, READ_BYTES);
    const verdict = this.#options.onDeliver({
      from: this.remoteAddress,
      to: this.localAddress,
      bytes,
      deliveredBytes: this.#deliveredBytes,
    });
    if (verdict === "reset") {
      this.reset();
      return;
    }
    const piece = this.#take(Math.min(Math.max(verdict, 1), bytes));
    this.#deliveredBytes += piece.length;
    this.peer?.wake();
    this.guard(() => this.#events?.onData(piece));
    piece.fill(STALE_BYTE);
  }

  #take(bytes: number): Buffer {
    const whole = this.#arrived.length === 1 ? this.#arrived[0] : Buffer.concat(this.#arrived);
    invariant(whole !== undefined, "bytes have arrived");
    const rest = whole.subarray(bytes);
    this.#arrived = rest.length > 0 ? [rest] : [];
    this.#arrivedBytes -= bytes;
    return whole.subarray(0, bytes);
  }

  #noticeEnd(): void {
    if (this.#ending === "reset") {
      this.lose();
    } else if (this.#ending === "fin" && !this.#isEndSeen) {
      this.#isEndSeen = true;
      this.guard(() => this.#events?.onEnd());
    }
  }

  #discardFromNowOn(): void {
    this.#isDiscarding = true;
    this.#schedule();
  }

  #discard(): void {
    this.#arrived = [];
    this.#arrivedBytes = 0;
    this.peer?.wake();
  }

  #close(): void {
    this.#state = "closed";
    const lost = this.#writes;
    this.#writes = [];
    this.#pendingBytes = 0;
    for (const { onWritten } of lost) this.guard(() => onWritten?.(writeFailed(this.#lostBy)));
    this.guard(() => this.#events?.onClose(this.#lostBy));
  }
}
