/** A driver that is ended without notice and started again from what it left on disk. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BlockManagerMasterEndpointOptions,
  MapOutputTrackerMaster,
  MasterJournal,
} from "@bm/master";
import { type Logger, silentLogger } from "@bm/transport";
import { Cluster } from "../cluster.ts";

interface Running {
  readonly cluster: Cluster;
  readonly tracker: MapOutputTrackerMaster;
  readonly journal: MasterJournal;
}

/** See the file comment. */
export class RestartingDriver {
  readonly masterStateDir: string;
  readonly errors: string[] = [];
  readonly #root: string;
  readonly #options: BlockManagerMasterEndpointOptions;
  #running: Running | null = null;

  private constructor(root: string, options: BlockManagerMasterEndpointOptions) {
    this.#root = root;
    this.masterStateDir = join(root, "state");
    this.#options = options;
  }

  static async start(options: BlockManagerMasterEndpointOptions = {}): Promise<RestartingDriver> {
    const root = await mkdtemp(join(tmpdir(), "bm-master-state-"));
    const driver = new RestartingDriver(root, options);
    await driver.restart();
    return driver;
  }

  get cluster(): Cluster {
    return this.#now.cluster;
  }

  get tracker(): MapOutputTrackerMaster {
    return this.#now.tracker;
  }

  get journal(): MasterJournal {
    return this.#now.journal;
  }

  /** Ends it, if it runs: what was not on disk is lost. Then starts it again. */
  async restart(): Promise<void> {
    await this.kill();
    const { masterStateDir } = this;
    const logger: Logger = { ...silentLogger, error: (text) => void this.errors.push(text) };
    const journal = await MasterJournal.open({ masterStateDir, logger });
    const tracker = await MapOutputTrackerMaster.restored({ journal, logger });
    const options = { ...this.#options, journal, mapOutputTracker: tracker };
    const cluster = await Cluster.start("in process", options);
    this.#running = { cluster, tracker, journal };
  }

  /** What is not on disk yet is lost. */
  async kill(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    await running?.journal.abort();
    await running?.cluster.close();
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#root, { recursive: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #now(): Running {
    if (this.#running === null) throw new Error("the driver does not run");
    return this.#running;
  }
}
