import type { Clock, Timer } from "../platform/platform.ts";
import type { ChannelHandler, HandlerContext } from "./channel-handler.ts";

/** The user event that says: nothing was read or written for the whole time-out. */
export const IDLE_EVENT: unique symbol = Symbol("idle");

/**
 * Looking at all channels takes about 0.1 ms per 5,000, so it is done at most this often per time-out.
 * An event is late by no more than that, about two seconds of Spark's 120.
 */
const LOOKS_PER_TIMEOUT_MAX = 64;

/** Timers are exact to a millisecond, in either direction. */
const TIMER_ERROR_MS = 1;

/**
 * Fires IDLE_EVENT when no byte moved in either direction for `timeoutMs`, then again each period
 * while it stays so. One handler serves any number of channels with the same clock: they share its
 * one timer, because a timer for each takes 400 bytes of an idle connection.
 *
 * Spark counts whole messages instead, so that a large chunk on a slow link looks idle while its
 * bytes flow, and is cut off. Counting bytes keeps such a transfer alive.
 */
export class IdleStateHandler implements ChannelHandler {
  readonly #timeoutMs: number;
  /** When the event was last fired, on the monotonic clock; null for never. */
  readonly #firedMs = new Map<HandlerContext, number | null>();
  #timer: Timer | null = null;

  /** 0 turns the detector off. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  handlerAdded(context: HandlerContext): void {
    if (this.#timeoutMs <= 0) return;
    this.#firedMs.set(context, null);
    // A timer that runs is not later than a whole time-out from now.
    if (this.#timer === null) this.#wait(context.channel.clock, this.#timeoutMs);
  }

  handlerRemoved(context: HandlerContext): void {
    this.#firedMs.delete(context);
    if (this.#firedMs.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  channelInactive(context: HandlerContext): void {
    this.handlerRemoved(context);
    context.fireChannelInactive();
  }

  #wait(clock: Clock, delayMs: number): void {
    const onTime = (): void => {
      // Where this event loop itself was held up, bytes of a lively peer wait to be read first.
      this.#timer = clock.setImmediate(() => this.#look(clock));
    };
    this.#timer = clock.setTimer(delayMs, onTime, { unref: true });
  }

  #look(clock: Clock): void {
    const nowMs = clock.nowMs();
    let nextMs = nowMs + this.#timeoutMs;
    for (const [context, firedMs] of this.#firedMs) {
      const sinceMs = Math.max(context.channel.lastActivityMs, firedMs ?? 0);
      const dueMs = sinceMs + this.#timeoutMs;
      if (dueMs - nowMs < TIMER_ERROR_MS) this.#fire(context, nowMs);
      else nextMs = Math.min(nextMs, dueMs);
    }
    if (this.#firedMs.size === 0) return;
    this.#timer?.cancel();
    this.#wait(clock, Math.max(nextMs - nowMs, this.#timeoutMs / LOOKS_PER_TIMEOUT_MAX));
  }

  #fire(context: HandlerContext, nowMs: number): void {
    this.#firedMs.set(context, nowMs);
    try {
      context.fireUserEventTriggered(IDLE_EVENT);
    } catch (error) {
      // The other channels have nothing to do with it.
      context.channel.abort(error as Error);
    }
  }
}
