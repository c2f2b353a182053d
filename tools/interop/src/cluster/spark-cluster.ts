/** A standalone cluster on loopback: a master and two workers, each a JVM of its own. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Child } from "./child-process.ts";
import { startJava } from "./java-child.ts";
import type { SparkHome } from "./spark-home.ts";

/** Seconds on a quiet machine; on a busy one a worker has needed more than a minute. */
const START_TIMEOUT_MS = 180_000;
/** Two hosts, as far as Spark can tell. Only Linux answers on all of 127.0.0.0/8. */
const WORKER_HOSTS: readonly string[] =
  process.platform === "linux" ? ["127.0.0.1", "127.0.0.2"] : ["127.0.0.1", "127.0.0.1"];

/** Settings of the master and the workers. The shuffle service stays off in them: it is ours. */
const DAEMON_CONF = {
  "spark.shuffle.service.enabled": "false",
  "spark.master.rest.enabled": "false",
  "spark.ui.reverseProxy": "false",
};

/** See the file comment. */
export class SparkCluster {
  /** What an application takes as `spark.master`. */
  readonly masterUrl: string;
  /** The master's web page; its state is there as JSON too, under `/json/`. */
  readonly masterPage: string;
  readonly #children: readonly Child[];

  private constructor(masterUrl: string, masterPage: string, children: readonly Child[]) {
    this.masterUrl = masterUrl;
    this.masterPage = masterPage;
    this.#children = children;
  }

  /**
   * Starts it. Logs and work folders are made in `directory`; executors keep their blocks under
   * `localDirectory`, which the shuffle service must be able to read.
   */
  static async start(
    home: SparkHome,
    directory: string,
    localDirectory: string,
  ): Promise<SparkCluster> {
    const children: Child[] = [];
    try {
      const main = "org.apache.spark.deploy.master.Master";
      const args = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"];
      const master = startJava(home, directory, { name: "master", main, args, conf: DAEMON_CONF });
      children.push(master);
      const url = await master.line(
        /Starting Spark master at (spark:\/\/\S+:[1-9]\d*)/,
        START_TIMEOUT_MS,
      );
      const page = await master.line(/MasterWebUI.*(http:\/\/\S+:\d+)/, START_TIMEOUT_MS);
      for (const [index, host] of WORKER_HOSTS.entries()) {
        const place = { name: `worker-${index}`, host, localDirectory, masterUrl: url[1] ?? "" };
        children.push(await startWorker(home, directory, place));
      }
      const registered = /Successfully registered with master/;
      await Promise.all(children.slice(1).map((child) => child.line(registered, START_TIMEOUT_MS)));
      return new SparkCluster(url[1] ?? "", page[1] ?? "", children);
    } catch (error) {
      await Promise.all(children.map((child) => child.stop()));
      throw error;
    }
  }

  /** Ends the workers, with what executors they have, and the master. May be called twice. */
  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Where one worker lives. */
interface WorkerPlace {
  readonly name: string;
  readonly host: string;
  readonly localDirectory: string;
  readonly masterUrl: string;
}

async function startWorker(home: SparkHome, directory: string, place: WorkerPlace): Promise<Child> {
  const { name, host, localDirectory, masterUrl } = place;
  const workDirectory = join(directory, name);
  await mkdir(workDirectory, { recursive: true });
  const size = ["--cores", "1", "--memory", "1g", "--work-dir", workDirectory];
  const address = ["--host", host, "--port", "0", "--webui-port", "0"];
  return startJava(home, directory, {
    name,
    main: "org.apache.spark.deploy.worker.Worker",
    args: [...address, ...size, masterUrl],
    conf: DAEMON_CONF,
    // Executors inherit these: they advertise the worker's address.
    env: {
      SPARK_LOCAL_DIRS: localDirectory,
      SPARK_LOCAL_IP: host,
      SPARK_LOCAL_HOSTNAME: host,
    },
  });
}
