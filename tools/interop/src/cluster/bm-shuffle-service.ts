/** Our shuffle service, started as an operator starts it: `bm serve` as a process of its own. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Child } from "./child-process.ts";
import { freePort } from "./free-port.ts";
import type { ServiceCounters, ShuffleService } from "./shuffle-service.ts";

const MAIN: string = join(import.meta.dirname, "../../../../packages/cli/src/main.ts");

const START_TIMEOUT_MS = 20_000;
const METRIC_PREFIX = "metrics_shuffleService_";

/** See the file comment. Its metrics are read over HTTP, under the names of Spark's servlet. */
export class BmShuffleService implements ShuffleService {
  readonly port: number;
  readonly #directory: string;
  readonly #localDirectory: string;
  readonly #confFile: string;
  #child: Child | null = null;
  #http = "";

  private constructor(port: number, directory: string, localDirectory: string, confFile: string) {
    this.port = port;
    this.#directory = directory;
    this.#localDirectory = localDirectory;
    this.#confFile = confFile;
  }

  /** Starts it for executors that keep their blocks under `localDirectory`. */
  static async start(
    directory: string,
    localDirectory: string,
    conf: Readonly<Record<string, string>> = {},
  ): Promise<BmShuffleService> {
    const confFile = join(directory, "bm-service.conf");
    const lines = Object.entries(conf).map(([key, value]) => `${key} ${value}\n`);
    await writeFile(confFile, lines.join(""));
    const port = await freePort();
    const service = new BmShuffleService(port, directory, localDirectory, confFile);
    await service.restart();
    return service;
  }

  /** Starts the process again, with what the one before it left on disk. */
  async restart(): Promise<void> {
    await this.close();
    const address = ["--port", String(this.port), "--http-port", "0"];
    const files = ["--dir", this.#localDirectory, "--conf", this.#confFile];
    const child = new Child({
      name: "bm-service",
      command: process.execPath,
      args: ["--conditions=@bm/source", MAIN, "serve", ...address, ...files],
      env: { PATH: process.env["PATH"] ?? "" },
      cwd: this.#directory,
      logFile: join(this.#directory, "bm-service.log"),
    });
    this.#child = child;
    try {
      const line = await child.line(/^\s*http\s+(127\.0\.0\.1:\d+)/, START_TIMEOUT_MS);
      this.#http = line[1] ?? "";
    } catch (error) {
      await child.stop();
      throw error;
    }
  }

  /** For drills: SIGKILL, SIGSTOP, SIGCONT. */
  signal(name: NodeJS.Signals): void {
    this.#child?.signal(name);
  }

  /** Where it keeps what is registered. */
  get database(): string {
    return join(this.#localDirectory, "bm-registered-executors.ldb");
  }

  /** Resolves when its log says, or said since its last start, what matches. */
  async logged(pattern: RegExp, timeoutMs: number): Promise<void> {
    await this.#child?.line(pattern, timeoutMs);
  }

  async counters(): Promise<ServiceCounters> {
    const response = await fetch(`http://${this.#http}/metrics`);
    const text = await response.text();
    return {
      bytes: metric(text, "blockTransferRateBytes_Count"),
      blocks: metric(text, "blockTransferRate_Count"),
      executors: metric(text, "registeredExecutorsSize_Value"),
    };
  }

  async close(): Promise<void> {
    await this.#child?.stop();
  }
}

/** A line is the name, labels in braces where there are any, and the value. */
function metric(text: string, name: string): number {
  const match = text.match(new RegExp(`^${METRIC_PREFIX}${name}(?:\\{[^}]*\\})? (\\S+)$`, "m"));
  if (match === null) throw new Error(`the service does not tell ${name}`);
  return Number(match[1]);
}
