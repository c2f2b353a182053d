/** The control: Spark's own shuffle service, as the start-shuffle-service script starts it. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./child-process.ts";
import { freePort } from "./free-port.ts";
import { startJava } from "./java-child.ts";
import type { ServiceCounters, ShuffleService } from "./shuffle-service.ts";
import type { SparkHome } from "./spark-home.ts";

const START_TIMEOUT_MS = 30_000;
/** Spark reports its metrics once a second at most; a change is in the second report after it. */
const REPORTS_MS = 2200;

/** See the file comment. Its metrics are read from the files of Spark's CSV sink. */
export class SparkShuffleService implements ShuffleService {
  readonly port: number;
  readonly #child: Child;
  readonly #metrics: string;

  private constructor(port: number, child: Child, metrics: string) {
    this.port = port;
    this.#child = child;
    this.#metrics = metrics;
  }

  /** Starts it for executors that keep their blocks under `localDirectory`. */
  static async start(
    home: SparkHome,
    directory: string,
    localDirectory: string,
  ): Promise<SparkShuffleService> {
    const port = await freePort();
    const metrics = join(directory, "metrics");
    // Its database is not beside ours: Spark 3.5 deletes one that another process has locked.
    const database = join(directory, "spark-service");
    await mkdir(metrics, { recursive: true });
    await mkdir(database, { recursive: true });
    const sink = "spark.metrics.conf.shuffleService.sink.csv";
    const conf = {
      "spark.shuffle.service.port": String(port),
      "spark.local.dir": database,
      [`${sink}.class`]: "org.apache.spark.metrics.sink.CsvSink",
      [`${sink}.period`]: "1",
      [`${sink}.unit`]: "seconds",
      [`${sink}.directory`]: metrics,
    };
    const main = "org.apache.spark.deploy.ExternalShuffleService";
    // From 3.5.9 on it refuses executors elsewhere than here.
    const env = { SPARK_LOCAL_DIRS: localDirectory };
    const child = startJava(home, directory, { name: "spark-service", main, conf, env });
    try {
      await child.line(/Starting shuffle service on port/, START_TIMEOUT_MS);
    } catch (error) {
      await child.stop();
      throw error;
    }
    return new SparkShuffleService(port, child, metrics);
  }

  async counters(): Promise<ServiceCounters> {
    await sleep(REPORTS_MS);
    const [bytes, blocks, executors] = await Promise.all([
      this.#last("blockTransferRateBytes"),
      this.#last("blockTransferRate"),
      this.#last("registeredExecutorsSize"),
    ]);
    return { bytes, blocks, executors };
  }

  async close(): Promise<void> {
    await this.#child.stop();
  }

  /** Every line is the time and the count or value, and more columns for a meter. */
  async #last(metric: string): Promise<number> {
    const file = join(this.#metrics, `shuffleService.${metric}.csv`);
    const text = await readFile(file, "utf8");
    // The file may end in half of a line.
    const line = text.slice(0, text.lastIndexOf("\n")).split("\n").at(-1) ?? "";
    return Number(line.split(",")[1]);
  }
}
