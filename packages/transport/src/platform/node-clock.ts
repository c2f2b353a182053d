// Globals of Node are accessors, which cost as much as the clock itself.
import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "./platform.ts";

/** Node turns a longer delay into one millisecond, so longer ones are waited for in parts. */
const NODE_DELAY_MAX_MS = 0x7fff_ffff;

/** The machine's clocks and the event loop's timers. */
export const nodeClock: Clock = {
  nowMs: () => performance.now(),
  wallTimeMs: () => Date.now(),
  setTimer: (delayMs, callback, options) =>
    new NodeTimer(delayMs, callback, options?.unref ?? false),
  setImmediate: (callback) => {
    const handle = setImmediate(callback);
    return { cancel: () => clearImmediate(handle) };
  },
  sleep: (delayMs, options) => sleep(nodeClock, delayMs, options?.signal),
};

class NodeTimer implements Timer {
  readonly #callback: () => void;
  readonly #isUnref: boolean;
  #handle: NodeJS.Timeout;

  constructor(delayMs: number, callback: () => void, isUnref: boolean) {
    this.#callback = callback;
    this.#isUnref = isUnref;
    this.#handle = this.#arm(delayMs);
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  #arm(delayMs: number): NodeJS.Timeout {
    const restMs = delayMs - NODE_DELAY_MAX_MS;
    const handle =
      restMs > 0
        ? setTimeout(() => {
            this.#handle = this.#arm(restMs);
          }, NODE_DELAY_MAX_MS)
        : setTimeout(this.#callback, delayMs);
    if (this.#isUnref) handle.unref();
    return handle;
  }
}

/** `Clock.sleep` on top of `Clock.setTimer`, for every clock. */
export async function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve) => {
    const onAbort = (): void => {
      timer.cancel();
      resolve();
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  signal?.throwIfAborted();
}
