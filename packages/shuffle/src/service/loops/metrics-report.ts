/**
 * Figures of one event loop, as what was added since its last report. The owner adds them to its own, so
 * that whoever watches the service sees all loops as one.
 */
import { Meter } from "../metrics/meter.ts";
import type { ShuffleServiceMetrics } from "../metrics/shuffle-service-metrics.ts";
import { Timer, type TimerValues } from "../metrics/timer.ts";
import type { ServiceGauges } from "../service-gauges.ts";

/** See the file comment. Names are those of `ShuffleServiceMetrics`. */
export interface MetricsReport {
  readonly meters: Readonly<Record<string, number>>;
  readonly timers: Readonly<Record<string, TimerValues>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly diagnosedCorruption: Readonly<Record<string, number>>;
  /** What is now, not what was added. */
  readonly gauges: ServiceGauges;
}

/** Fields of `ShuffleServiceMetrics` that say what is now: they are among the gauges. */
const GAUGES: ReadonlySet<string> = new Set(["deferredBlockBytes", "numActiveConnections"]);

/** Makes the reports of a loop. */
export class MetricsReporter {
  readonly #metrics: ShuffleServiceMetrics;
  readonly #reported = new Map<string, number>();

  constructor(metrics: ShuffleServiceMetrics) {
    this.#metrics = metrics;
  }

  /** Everything that happened since the last call. */
  report(gauges: ServiceGauges): MetricsReport {
    const meters: Record<string, number> = {};
    const timers: Record<string, TimerValues> = {};
    const counts: Record<string, number> = {};
    for (const [name, figure] of Object.entries(this.#metrics) as [string, unknown][]) {
      if (figure instanceof Meter) meters[name] = this.#added(name, figure.count);
      if (figure instanceof Timer) timers[name] = figure.valuesOf(this.#added(name, figure.count));
      const isCount = typeof figure === "number" && !GAUGES.has(name);
      if (isCount) counts[name] = this.#added(name, figure);
    }
    const diagnosedCorruption: Record<string, number> = {};
    for (const [cause, count] of this.#metrics.diagnosedCorruption) {
      diagnosedCorruption[cause] = this.#added(`diagnosed ${cause}`, count);
    }
    return { meters, timers, counts, diagnosedCorruption, gauges };
  }

  #added(name: string, total: number): number {
    const before = this.#reported.get(name) ?? 0;
    this.#reported.set(name, total);
    return total - before;
  }
}

/** Adds what a loop reported to the figures of the whole. */
export function addReport(metrics: ShuffleServiceMetrics, report: MetricsReport): void {
  const { counts, diagnosedCorruption, meters, timers } = report;
  const figures = metrics as unknown as Record<string, unknown>;
  for (const [name, figure] of Object.entries(figures)) {
    if (figure instanceof Meter) figure.mark(meters[name] ?? 0);
    if (figure instanceof Timer && timers[name] !== undefined) figure.addValues(timers[name]);
    if (typeof figure === "number") figures[name] = figure + (counts[name] ?? 0);
  }
  for (const [cause, count] of Object.entries(diagnosedCorruption)) {
    const before = metrics.diagnosedCorruption.get(cause) ?? 0;
    metrics.diagnosedCorruption.set(cause, before + count);
  }
}
