/**
 * One connection: a socket, its pipeline and its end.
 *
 *     open --close()--> closing --socket closed--> closed
 *       \------abort(), peer, error-------------->/
 *
 * While closing, what was queued still goes out and nothing new is accepted.
 */
import { invariant } from "../invariant.ts";
import type { Clock, OpenFile, Socket, SocketEvents, Timer } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";
import type { WriteDone } from "./channel-handler.ts";
import { Pipeline, type PipelineEnds } from "./pipeline.ts";

/** Bytes queued on a channel above which `isWritable` turns false, and below which it turns true. */
export interface WriteWaterMarks {
  readonly lowBytes: number;
  readonly highBytes: number;
}

/** Eight megabytes keep a 10 Gbit/s path busy over several milliseconds of round trip. */
export const WRITE_WATER_MARKS_DEFAULT: WriteWaterMarks = {
  lowBytes: 2 * 1024 * 1024,
  highBytes: 8 * 1024 * 1024,
};

/** How long the peer may take to close its half after we closed ours. */
const LINGER_MS = 10_000;

/** What {@link Channel} takes. */
export interface ChannelOptions {
  readonly socket: Socket;
  readonly clock: Clock;
  /** The name that was asked for, when it is not the numeric address. */
  readonly remoteName?: string | undefined;
  readonly writeWaterMarks?: WriteWaterMarks | undefined;
  /**
   * Stop reading requests while the peer does not take the answers. Only for the accepting end:
   * were both ends to do it, two full queues could wait for each other for ever.
   */
  readonly pauseReadingWhileUnwritable?: boolean | undefined;
}

type ChannelState = "new" | "open" | "closing" | "closed";

/**
 * See the file comment. What only socket and pipeline call is at the end: closures for them would cost
 * 400 bytes of each connection.
 */
export class Channel implements SocketEvents, PipelineEnds {
  readonly pipeline: Pipeline;
  readonly clock: Clock;

  readonly #socket: Socket;
  readonly #remoteName: string | undefined;
  readonly #waterMarks: WriteWaterMarks;
  readonly #pausesReading: boolean;
  /** Made when somebody wants to wait for it. */
  #closed: PromiseWithResolvers<void> | null = null;
  #state: ChannelState = "new";
  #closeReason: Error | null = null;
  #lingerTimer: Timer | null = null;
  #holds = 0;
  #queuedBytes = 0;
  #isWritable = true;
  #readingPauses = 0;
  #heldBack: (() => void) | null = null;
  #lastReadMs: number;
  #lastWriteMs: number;

  constructor(options: ChannelOptions) {
    const { socket, clock } = options;
    this.clock = clock;
    this.#socket = socket;
    this.#remoteName = options.remoteName;
    this.#waterMarks = options.writeWaterMarks ?? WRITE_WATER_MARKS_DEFAULT;
    this.#pausesReading = options.pauseReadingWhileUnwritable ?? false;
    this.#lastReadMs = clock.nowMs();
    this.#lastWriteMs = this.#lastReadMs;
    this.pipeline = new Pipeline(this, this);
  }

  /** The peer's numeric address without the port. */
  get remoteHost(): string {
    return this.#socket.remoteAddress.host;
  }

  /** `/10.0.0.1:7337` for numeric hosts, `name/10.0.0.1:7337` for names. */
  get remoteAddress(): string {
    const { host, port } = this.#socket.remoteAddress;
    return addressText(host, port, this.#remoteName);
  }

  get isActive(): boolean {
    return this.#state === "open";
  }

  /** False while more than the high water mark is queued, until it fell to the low one. */
  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** Bytes queued here and in the socket. */
  get pendingBytes(): number {
    return this.#queuedBytes + this.#socket.pendingBytes;
  }

  /** When bytes last arrived or were taken by the system, on the monotonic clock. */
  get lastActivityMs(): number {
    return Math.max(this.#lastReadMs, this.#lastWriteMs);
  }

  /** Why the channel was aborted or lost; null while open and after a plain close. */
  get closeReason(): Error | null {
    return this.#closeReason;
  }

  /** Settles once the socket is gone. */
  get closed(): Promise<void> {
    this.#closed ??= Promise.withResolvers();
    if (this.#state === "closed") this.#closed.resolve();
    return this.#closed.promise;
  }

  /** Starts the flow of events. Call once, in the turn in which the socket was handed over. */
  start(): void {
    invariant(this.#state === "new", "a channel is started once");
    this.#state = "open";
    this.#socket.start(this);
    this.#guard(() => this.pipeline.fireChannelActive());
  }

  /** Sends a message through the pipeline; false asks the caller to wait for `writabilityChanged`. */
  write(message: unknown, done: WriteDone = null): boolean {
    if (this.#state !== "open") {
      done?.(this.#closedError());
      return false;
    }
    try {
      this.pipeline.write(message, done);
    } catch (error) {
      if (done === null) this.pipeline.fireExceptionCaught(error as Error);
      else done(error as Error);
    }
    return this.#isWritable;
  }

  /** Handlers hold back what arrived already: see {@link holdBack}. */
  get isReadingPaused(): boolean {
    return this.#readingPauses > 0;
  }

  /** Stops the flow from the peer until as many `resumeReading` calls were made. */
  pauseReading(): void {
    this.#readingPauses += 1;
    if (this.#readingPauses === 1) this.#socket.pauseReading();
  }

  resumeReading(): void {
    invariant(this.#readingPauses > 0, "resumeReading without pauseReading");
    this.#readingPauses -= 1;
    const goOn = this.#heldBack;
    if (this.#readingPauses > 0) return;
    this.#heldBack = null;
    // What was held back comes first, and may pause the flow again.
    if (goOn !== null) this.#guard(goOn);
    if (this.#readingPauses === 0) this.#socket.resumeReading();
  }

  /**
   * For the handler that cuts bytes into messages: one read may bring thousands of requests, and the
   * first of them may be reason enough to pause. `goOn` is called once, when reading goes on.
   */
  holdBack(goOn: () => void): void {
    this.#heldBack = goOn;
  }

  /** Keeps `close` from ending the socket until `releaseHold`, because something is still to be sent. */
  hold(): void {
    this.#holds += 1;
  }

  releaseHold(): void {
    this.#holds -= 1;
    if (this.#holds === 0 && this.#state === "closing") this.#endSocket();
  }

  /** Counts bytes that wait in the pipeline (negative when they leave it). */
  addQueuedBytes(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#updateWritability();
  }

  /** Sends what is queued, then closes. Safe to call twice; an aborted signal closes at once. */
  close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) this.abort(signal.reason as Error);
    else
      signal?.addEventListener("abort", () => this.abort(signal.reason as Error), { once: true });
    if (this.#state === "open" || this.#state === "new") {
      this.#state = "closing";
      if (this.#holds === 0) this.#endSocket();
    }
    return this.closed;
  }

  /** Closes now; what is queued is lost. Safe to call twice. */
  abort(reason: Error): void {
    if (this.#state === "closed") return;
    this.#closeReason ??= reason;
    this.#state = "closing";
    this.#socket.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #endSocket(): void {
    this.#socket.end();
    this.#lingerTimer ??= this.clock.setTimer(LINGER_MS, () => this.#socket.destroy(), {
      unref: true,
    });
  }

  #updateWritability(): void {
    const pending = this.pendingBytes;
    const { lowBytes, highBytes } = this.#waterMarks;
    const isWritable = this.#isWritable ? pending <= highBytes : pending <= lowBytes;
    if (isWritable === this.#isWritable || this.#state === "closed") return;
    this.#isWritable = isWritable;
    if (this.#pausesReading) {
      if (isWritable) this.resumeReading();
      else this.pauseReading();
    }
    this.#guard(() => this.pipeline.fireWritabilityChanged());
  }

  /** Nothing that a handler throws may reach the event loop. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failFromHandler(error as Error);
    }
  }

  #failFromHandler(error: Error): void {
    try {
      this.pipeline.fireExceptionCaught(error);
    } catch (second) {
      this.abort(second as Error);
    }
  }

  #closedError(): TransportError {
    return new TransportError("CHANNEL_CLOSED", `Connection to ${this.remoteAddress} is closed`, {
      cause: this.#closeReason ?? undefined,
    });
  }

  /** For the socket. */
  onData(bytes: Uint8Array): void {
    this.#lastReadMs = this.clock.nowMs();
    try {
      this.pipeline.fireChannelRead(bytes);
    } catch (error) {
      this.#failFromHandler(error as Error);
    }
  }

  /** For the socket. */
  readTarget(): Uint8Array | null {
    return this.pipeline.readTarget();
  }

  /** For the socket. */
  onSent(): void {
    this.#lastWriteMs = this.clock.nowMs();
    this.#updateWritability();
  }

  /** For the socket. */
  onEnd(): void {
    void this.close();
  }

  /** For the socket. */
  onClose(error: Error | null): void {
    this.#lingerTimer?.cancel();
    const wasClosing = this.#state === "closing";
    this.#state = "closed";
    if (error !== null && !wasClosing) {
      this.#closeReason ??= error;
      const lost = `Connection from ${this.remoteAddress} lost: ${error.message}`;
      const cause = new TransportError("CHANNEL_CLOSED", lost, { cause: error });
      this.#guard(() => this.pipeline.fireExceptionCaught(cause));
    }
    this.#guard(() => this.pipeline.fireChannelInactive());
    this.#closed?.resolve();
  }

  /** For the pipeline. */
  writeBytes(pieces: readonly Uint8Array[], done: WriteDone): void {
    this.#socket.write(pieces, done);
    this.#updateWritability();
  }

  /** For the pipeline. */
  sendFile(header: Uint8Array, file: OpenFile, position: number, length: number): number {
    if (this.#state === "closed") return 0;
    const count = this.#socket.sendFile(header, file, position, length);
    if (count > 0) this.#lastWriteMs = this.clock.nowMs();
    return count;
  }

  /** For the pipeline. */
  unhandledException(error: Error): void {
    this.abort(error);
  }
}

function addressText(host: string, port: number, name: string | undefined): string {
  const numeric = host.includes(":") ? `[${host}]` : host;
  return `${name === undefined || name === host ? "" : name}/${numeric}:${port}`;
}
