import type { Timer } from "../platform/platform.ts";
import type { ChannelHandler, HandlerContext } from "./channel-handler.ts";

/** The user event that says: nothing was read or written for the whole time-out. */
export const IDLE_EVENT: unique symbol = Symbol("idle");

/**
 * Fires IDLE_EVENT when no byte moved in either direction for `timeoutMs`, then again each period
 * while it stays so.
 *
 * Spark counts whole messages instead, so that a large chunk on a slow link looks idle while its
 * bytes flow, and is cut off. Counting bytes keeps such a transfer alive.
 */
export class IdleStateHandler implements ChannelHandler {
  readonly #timeoutMs: number;
  #timer: Timer | null = null;

  /** 0 turns the detector off. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  handlerAdded(context: HandlerContext): void {
    if (this.#timeoutMs > 0) this.#wait(context, this.#timeoutMs);
  }

  handlerRemoved(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  channelInactive(context: HandlerContext): void {
    this.handlerRemoved();
    context.fireChannelInactive();
  }

  #wait(context: HandlerContext, delayMs: number): void {
    this.#timer = context.channel.clock.setTimer(delayMs, () => this.#check(context), {
      unref: true,
    });
  }

  #check(context: HandlerContext): void {
    const { channel } = context;
    const idleMs = channel.clock.nowMs() - channel.lastActivityMs;
    const isIdle = idleMs >= this.#timeoutMs;
    this.#wait(context, isIdle ? this.#timeoutMs : this.#timeoutMs - idleMs);
    if (isIdle) context.fireUserEventTriggered(IDLE_EVENT);
  }
}
