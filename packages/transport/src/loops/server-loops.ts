/**
 * One port, served by several event loops: each runs the same module in a thread of its own and
 * listens for itself, and the system spreads new connections over them.
 *
 *     owner   ServerLoops.start(...)        a LoopLine to each loop
 *     thread  runServerLoop(listen)         a LoopLine to the owner
 *
 * A loop that dies takes its connections with it and is started again.
 */
import { type Logger, silentLogger } from "../logger.ts";
import { type LoopThread, startLoopThread } from "../platform/node-loop-thread.ts";
import { nodePlatform } from "../platform/node-platform.ts";
import type { Clock, Network } from "../platform/platform.ts";
import { TransportError } from "../transport-error.ts";
import { CLOSE_ORDER, type LoopEvent, type LoopStart } from "./loop-life.ts";
import { type LoopEars, LoopLine } from "./loop-line.ts";
import { sharesPorts } from "./shared-port.ts";

/** Options of {@link ServerLoops}. */
export interface ServerLoopsOptions {
  /** Event loops to start. */
  readonly count: number;
  /** The module that each runs; it calls `runServerLoop`. */
  readonly entry: URL;
  /** Address to bind. Default: every interface. */
  readonly host?: string | undefined;
  /** 0, the default, takes a free one for all loops. */
  readonly port?: number | undefined;
  /** The caller listens on the port too and shares it, so nobody else can be there. Default: false. */
  readonly isPortShared?: boolean | undefined;
  /** Given to each loop as a clone. */
  readonly data?: unknown;
  /** Called for each loop before it runs, also for one that replaces another. Default: hears nothing. */
  readonly connect?: ((line: LoopLine) => LoopEars) | undefined;
  /** Called when a loop is gone, for whatever reason. */
  readonly onGone?: ((line: LoopLine) => void) | undefined;
  /** Default: says nothing. */
  readonly logger?: Logger | undefined;
  /** Default: those of the real machine. */
  readonly clock?: Clock | undefined;
  readonly network?: Network | undefined;
}

/** A loop that dies more often than this within {@link RESTART_WINDOW_MS} stays away. */
const RESTARTS_MAX = 5;
const RESTART_WINDOW_MS = 60_000;

interface Loop {
  readonly thread: LoopThread;
  readonly line: LoopLine;
  /** The port. */
  readonly listening: Promise<number>;
}

/** See the file comment. Made by `start`. */
export class ServerLoops {
  readonly #options: ServerLoopsOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #loops = new Set<Loop>();
  #restartsMs: number[] = [];
  #port: number;
  #isStarted = false;
  #closing: Promise<void> | null = null;

  private constructor(options: ServerLoopsOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#clock = options.clock ?? nodePlatform().clock;
    this.#port = options.port ?? 0;
  }

  /**
   * Resolves when every loop listens. Where the system cannot share a port there is one loop.
   * @throws TransportError BIND_FAILED, also when another process listens on the port; what a loop
   *   throws at its start (rejects).
   */
  static async start(options: ServerLoopsOptions): Promise<ServerLoops> {
    const loops = new ServerLoops(options);
    const network = options.network ?? nodePlatform().network;
    const address = { host: options.host, port: loops.#port };
    const isShared = options.isPortShared ?? (await sharesPorts(network, address));
    if (!isShared) loops.#logger.warn("this system cannot share a port: one event loop serves it");
    try {
      // The first one finds out which port it is.
      loops.#port = await loops.#add(isShared).listening;
      const others = Array.from({ length: isShared ? options.count - 1 : 0 }, () =>
        loops.#add(true),
      );
      await Promise.all(others.map(({ listening }) => listening));
      loops.#isStarted = true;
      return loops;
    } catch (error) {
      await loops.abort(error as Error);
      throw error;
    }
  }

  /** The port that all loops listen on. */
  get port(): number {
    return this.#port;
  }

  /** To each loop that runs now. */
  get lines(): LoopLine[] {
    return [...this.#loops].map(({ line }) => line);
  }

  /**
   * Every loop stops accepting, lets requests be answered and ends; an aborted signal ends them at
   * once. Safe to call twice.
   */
  close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = options;
    const abort = (): void =>
      void this.abort(new TransportError("CLOSED", "the loops are closing"));
    this.#closing ??= this.#close();
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    return this.#closing;
  }

  /** Ends every loop now. Safe to call twice. */
  async abort(_reason: Error): Promise<void> {
    this.#closing ??= Promise.resolve();
    const threads = [...this.#loops].map(({ thread }) => thread);
    for (const thread of threads) thread.terminate();
    await Promise.all(threads.map(({ exited }) => exited));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const loops = [...this.#loops];
    for (const { thread } of loops) thread.life.post(CLOSE_ORDER);
    await Promise.all(loops.map(({ thread }) => thread.exited));
  }

  #add(reusePort: boolean): Loop {
    const { connect, data, entry, host } = this.#options;
    const start: LoopStart = { host, port: this.#port, reusePort, data };
    const thread = startLoopThread(entry, start);
    const line = new LoopLine(thread.line);
    const loop: Loop = { thread, line, listening: listeningOf(thread) };
    // One that does not listen exits: where nobody waits for it, that is enough to know.
    loop.listening.catch(() => {});
    this.#loops.add(loop);
    const ears = connect?.(line);
    if (ears !== undefined) line.hearWith(ears);
    void thread.exited.then((error) => this.#onExit(loop, error, reusePort));
    return loop;
  }

  #onExit(loop: Loop, error: Error | null, reusePort: boolean): void {
    this.#loops.delete(loop);
    loop.line.close(error);
    this.#options.onGone?.(loop.line);
    if (this.#closing === null && this.#isStarted) this.#replace(error, reusePort);
  }

  #replace(error: Error | null, reusePort: boolean): void {
    const nowMs = this.#clock.nowMs();
    const recent = this.#restartsMs.filter((ms) => nowMs - ms < RESTART_WINDOW_MS);
    this.#restartsMs = [...recent, nowMs];
    const text = `an event loop died: ${error?.message ?? "it ended by itself"}`;
    if (recent.length >= RESTARTS_MAX) {
      this.#logger.error(`${text}; ${this.#loops.size} loops go on without it`);
      return;
    }
    this.#logger.error(`${text}; another one is started`);
    this.#add(reusePort);
  }
}

/** The port that a thread listens on. */
function listeningOf({ exited, life }: LoopThread): Promise<number> {
  const { promise, reject, resolve } = Promise.withResolvers<number>();
  life.onMessage((message) => {
    const event = message as LoopEvent;
    if (event.kind === "listening") resolve(event.port);
    else
      reject(new TransportError("BIND_FAILED", `an event loop does not listen: ${event.message}`));
  });
  void exited.then((cause) => {
    reject(new TransportError("BIND_FAILED", "an event loop ended before it listened", { cause }));
  });
  return promise;
}
