import type { Clock, Logger, Timer } from "@bm/transport";
import type { MasterState } from "../endpoint/master-state.ts";
import { MasterError } from "../master-error.ts";

/** When an executor counts as lost. */
export interface HeartbeatLimits {
  /** Silence after which it is removed. Default: 120,000. */
  readonly timeoutMs?: number | undefined;
  /** Time between looks; at most `timeoutMs`. Default: 60,000, or `timeoutMs` if that is less. */
  readonly checkIntervalMs?: number | undefined;
}

/** What {@link HeartbeatMonitor} works with. */
export interface HeartbeatMonitorOptions extends HeartbeatLimits {
  readonly state: MasterState;
  /** Removes the executor. */
  readonly expire: (executorId: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

const TIMEOUT_MS_DEFAULT = 120_000;
const CHECK_INTERVAL_MS_DEFAULT = 60_000;

/**
 * Removes executors that were not heard of for a time: no heartbeat, no report of a block. The
 * driver's own block manager is never removed.
 */
export class HeartbeatMonitor {
  readonly #options: HeartbeatMonitorOptions;
  readonly #timeoutMs: number;
  readonly #checkIntervalMs: number;
  #timer: Timer | null = null;

  /** @throws MasterError OPTION_INVALID - times that are not positive, or the interval the longer. */
  constructor(options: HeartbeatMonitorOptions) {
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS_DEFAULT;
    const checkIntervalMs =
      options.checkIntervalMs ?? Math.min(CHECK_INTERVAL_MS_DEFAULT, timeoutMs);
    if (!(checkIntervalMs > 0 && timeoutMs >= checkIntervalMs)) {
      const detail = `heartbeat timeoutMs ${timeoutMs}, checkIntervalMs ${checkIntervalMs}`;
      throw new MasterError("OPTION_INVALID", detail);
    }
    this.#options = options;
    this.#timeoutMs = timeoutMs;
    this.#checkIntervalMs = checkIntervalMs;
  }

  /** Looks from now on. A pending look does not keep the process alive. */
  start(): void {
    this.#timer = this.#options.clock.setTimer(
      this.#checkIntervalMs,
      () => {
        this.expireSilent();
        this.start();
      },
      { unref: true },
    );
  }

  /** Looks no more. Safe to call twice. */
  stop(): void {
    this.#timer?.cancel();
  }

  /** Removes who is silent for too long now. */
  expireSilent(): void {
    const { state, expire, clock, logger } = this.#options;
    const nowMs = clock.nowMs();
    for (const { id, lastSeenMs } of state.infos()) {
      const silentMs = nowMs - lastSeenMs;
      if (id.isDriver || silentMs <= this.#timeoutMs) continue;
      logger.warn(`removing executor ${id.executorId}, silent for ${Math.round(silentMs)} ms`);
      state.reportExpired(id.executorId, silentMs);
      expire(id.executorId);
    }
  }
}
