/** At the owner: the other event loops of a service. */
import { type Logger, type LoopEars, type LoopLine, ServerLoops } from "@bm/transport";
import type { ExecutorRegistry } from "../executor-registry.ts";
import type { MergedShuffleFileManager } from "../merge/merged-shuffle-file-manager.ts";
import type { ShuffleServiceMetrics } from "../metrics/shuffle-service-metrics.ts";
import type { ServiceGauges } from "../service-gauges.ts";
import type {
  LoopNews,
  LoopQuestion,
  OwnerNews,
  OwnerQuestion,
  ServiceLoopData,
} from "./loop-messages.ts";
import { MergeManagerDesk } from "./merge-manager-desk.ts";
import { addReport, type MetricsReport } from "./metrics-report.ts";
import type { ReplicatingStore } from "./replicating-store.ts";

/** Options of {@link ServiceLoops}. */
export interface ServiceLoopsOptions {
  /** Loops beside the owner's. */
  readonly count: number;
  readonly host: string | undefined;
  /** The owner listens there already, and shares it. */
  readonly port: number;
  readonly data: ServiceLoopData;
  readonly registry: ExecutorRegistry;
  readonly store: ReplicatingStore;
  readonly mergeManager: MergedShuffleFileManager;
  readonly metrics: ShuffleServiceMetrics;
  readonly logger: Logger;
}

/** Beside this file as a source, and beside the bundle when it is built. */
const ENTRY = new URL(
  import.meta.url.endsWith(".ts") ? "service-loop.ts" : "service-loop.js",
  import.meta.url,
);

/** See the file comment. Made by `start`. */
export class ServiceLoops {
  readonly #options: ServiceLoopsOptions;
  readonly #gauges = new Map<LoopLine, ServiceGauges>();
  readonly #desks = new Map<LoopLine, MergeManagerDesk>();
  #loops: ServerLoops | null = null;

  private constructor(options: ServiceLoopsOptions) {
    this.#options = options;
  }

  /** Resolves when all of them listen. @throws as `ServerLoops.start` (rejects). */
  static async start(options: ServiceLoopsOptions): Promise<ServiceLoops> {
    const loops = new ServiceLoops(options);
    const { count, data, host, logger, port } = options;
    loops.#loops = await ServerLoops.start({
      count,
      entry: ENTRY,
      host,
      port,
      isPortShared: true,
      data,
      logger,
      connect: (line) => loops.#connect(line),
      onGone: (line) => loops.#forget(line),
    });
    return loops;
  }

  /** Loops that run now. */
  get count(): number {
    return this.#loops?.lines.length ?? 0;
  }

  /** Of each loop, at the time of its last report. */
  get gauges(): ServiceGauges[] {
    return [...this.#gauges.values()];
  }

  /** Asks every loop what it did, and adds that to the figures of the service. */
  async collect(): Promise<void> {
    const lines = this.#loops?.lines ?? [];
    await Promise.all(lines.map((line) => this.#collectFrom(line)));
  }

  /** Tells every loop, and those that will replace them, of other limits. */
  reconfigure(conf: ServiceLoopData["conf"]): void {
    this.#options.data.conf = conf;
    const news: LoopNews = { type: "reconfigure", conf };
    for (const line of this.#loops?.lines ?? []) line.post(news);
  }

  /** As `ServerLoops.close`. */
  async close(options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#loops?.close(options);
  }

  /** As `ServerLoops.abort`. */
  async abort(reason: Error): Promise<void> {
    await this.#loops?.abort(reason);
  }

  #connect(line: LoopLine): LoopEars {
    const desk = new MergeManagerDesk(this.#options.mergeManager, line);
    this.#desks.set(line, desk);
    return {
      onMessage: (body) => {
        const news = body as OwnerNews;
        if (news.type === "log") this.#options.logger[news.level](news.text);
        else desk.hear(news);
      },
      onAsk: (body) => {
        const question = body as OwnerQuestion;
        if (question.type === "follow") return this.#introduce(line);
        return question.type === "write" ? this.#write(question) : desk.answer(question);
      },
    };
  }

  #forget(line: LoopLine): void {
    this.#options.store.removeReplica(line);
    this.#gauges.delete(line);
    this.#desks.get(line)?.close();
    this.#desks.delete(line);
  }

  #introduce(line: LoopLine): Promise<void> {
    const { registry, store } = this.#options;
    const known = registry.applicationIds.flatMap((appId) =>
      [...registry.executorsOf(appId)].map(([execId, info]) => {
        return { kind: "put" as const, appId, execId, info };
      }),
    );
    return store.addReplica(line, known);
  }

  async #write({ changes }: Extract<OwnerQuestion, { type: "write" }>): Promise<void> {
    const { registry } = this.#options;
    const done = changes.map((change) =>
      change.kind === "put"
        ? registry.register(change.appId, change.execId, change.info)
        : registry.remove([change]),
    );
    await Promise.all(done);
  }

  /** Never rejects: one that is gone has nothing to report. */
  async #collectFrom(line: LoopLine): Promise<void> {
    try {
      const question: LoopQuestion = { type: "report" };
      const report = (await line.ask(question)) as MetricsReport | null;
      if (report === null) return;
      addReport(this.#options.metrics, report);
      if (this.#desks.has(line)) this.#gauges.set(line, report.gauges);
    } catch {
      this.#gauges.delete(line);
    }
  }
}
