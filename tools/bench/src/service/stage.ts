/** What a suite works with: the services and clients of one contender, and the files on disk. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { HalfProcess } from "../contest/half-process.ts";
import type { ClientJob, JobOutcome } from "./client/client-job.ts";
import { type ServiceName, ServiceProcess } from "./service-process.ts";
import { type ShuffleOutputs, writeShuffleOutputs } from "./shuffle-outputs.ts";

const MAIN = join(import.meta.dirname, "..", "main.ts");

/** How long and how large. */
export interface ServicePace {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly roundSeconds: number;
  readonly warmUpSeconds: number;
}

/** How services are started, and for how long they are driven. */
export interface StageOptions {
  readonly pace: ServicePace;
  /** Event loops of ours; null: as many as it takes by itself. */
  readonly threads: number | null;
}

/** Files of shuffles, written when they are first asked for and shared by the contenders. */
export class OutputFiles {
  readonly localDir: string;
  readonly #written = new Set<number>();

  constructor(root: string) {
    this.localDir = join(root, "executor-dirs");
    mkdirSync(this.localDir, { recursive: true });
  }

  have(outputs: ShuffleOutputs): void {
    if (this.#written.has(outputs.shuffleId)) return;
    this.#written.add(outputs.shuffleId);
    writeShuffleOutputs(this.localDir, outputs);
  }
}

/** See the file comment. */
export class Stage {
  readonly name: ServiceName;
  readonly pace: ServicePace;
  readonly files: OutputFiles;
  readonly #threads: number | null;
  /** True while a round is run whose figures do not count. */
  isWarmUp = false;
  readonly #root: string;
  readonly #clients: HalfProcess[] = [];
  #living: ServiceProcess | null = null;
  #freshCount = 0;
  #prefixCount = 0;
  /** What a suite keeps from round to round. */
  readonly kept: Map<string, string> = new Map();

  constructor(name: ServiceName, options: StageOptions, root: string, files: OutputFiles) {
    this.name = name;
    this.pace = options.pace;
    this.#threads = options.threads;
    this.files = files;
    this.#root = join(root, name);
  }

  /** Seconds of a load. */
  get seconds(): number {
    return this.isWarmUp ? this.pace.warmUpSeconds : this.pace.roundSeconds;
  }

  /** The service that lives on from suite to suite, with the executor of the files registered. */
  async living(): Promise<ServiceProcess> {
    if (this.#living !== null) return this.#living;
    const service = await this.start(this.freshDirectory());
    this.#living = service;
    await this.register(service);
    return service;
  }

  /**
   * A service of its own, which whoever asked for it ends.
   * @param threads event loops of ours, other than those of the run
   */
  start(directory: string, threads: number | null = this.#threads): Promise<ServiceProcess> {
    const { localDir } = this.files;
    return ServiceProcess.start(this.name, { directory, localDir, threads });
  }

  /** Makes the executor of the files known. */
  async register(service: ServiceProcess): Promise<void> {
    await this.ask({
      kind: "register",
      port: service.port,
      localDir: this.files.localDir,
      connections: 1,
      window: 1,
      prefix: "",
      seconds: 60,
      countMax: 1,
    });
  }

  /** An empty directory for the database of a service. */
  freshDirectory(): string {
    this.#freshCount += 1;
    return join(this.#root, String(this.#freshCount));
  }

  /** Ids of executors begin with it; a new one each time. */
  nextPrefix(): string {
    this.#prefixCount += 1;
    return `run-${this.#prefixCount}-`;
  }

  /** Lets the first client do a job. */
  async ask(job: ClientJob): Promise<JobOutcome> {
    const [outcome] = await this.askAll([job]);
    if (outcome === undefined) throw new Error("a job has no outcome");
    return outcome;
  }

  /** Lets as many clients as there are jobs do them at the same time, each in a process of its own. */
  async askAll(jobs: readonly ClientJob[]): Promise<JobOutcome[]> {
    while (this.#clients.length < jobs.length) this.#clients.push(await startClient());
    return Promise.all(jobs.map((job, at) => this.#client(at).ask<JobOutcome>(job)));
  }

  /** Ends every process. Safe to call twice. */
  async close(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.stop()));
    await this.#living?.stop();
    this.#living = null;
    rmSync(this.#root, { recursive: true, force: true });
  }

  #client(at: number): HalfProcess {
    const client = this.#clients[at];
    if (client === undefined) throw new Error(`there is no client ${at}`);
    return client;
  }
}

async function startClient(): Promise<HalfProcess> {
  const args = [...process.execArgv, MAIN, "service-client"];
  const [client] = await HalfProcess.start({ program: process.execPath, args });
  return client;
}
