/** The driver JVM: runs one application after the other and tells results and counters. */
import type { Child } from "./child-process.ts";
import { startJava } from "./java-child.ts";
import type { SparkHome } from "./spark-home.ts";

/** The jobs of cluster/src/main/java/bm/cluster/ClusterDriver.java. */
export type JobName =
  | "wordCount"
  | "sort"
  | "join"
  | "groupBy"
  | "repartition"
  | "cachedRdd"
  | "sqlAdaptive"
  | "sqlFixedPlan"
  | "releasedExecutors"
  | "slowReduce"
  | "missingDirectory"
  | "flippedByte";

/** What a job computed. `facts` are about the cluster and differ from local mode. */
export interface JobResult {
  readonly rows: number;
  readonly sha256: string;
  readonly facts: Readonly<Record<string, number | string>>;
}

/** What Spark's own task metrics say about one application. */
export interface ApplicationCounters {
  readonly tasks: number;
  readonly failedTasks: number;
  readonly fetchFailures: number;
  /** Why the first ten tasks that failed did. */
  readonly failures: readonly string[];
  /** Shuffle bytes from elsewhere than the reading executor's own disk. */
  readonly remoteBytes: number;
  readonly remoteBlocks: number;
  /** Shuffle bytes from the reading executor's own disk. */
  readonly localBytes: number;
  /** The part of `remoteBytes` that was too big for memory and came as a stream. */
  readonly bytesToDisk: number;
}

/** One application that ran to its end. */
export interface ApplicationReport {
  readonly applicationId: string;
  readonly results: Readonly<Partial<Record<JobName, JobResult>>>;
  readonly counters: ApplicationCounters;
}

interface Answer extends ApplicationReport {
  readonly id: number;
  readonly error?: string;
}

/** See the file comment. Applications run one at a time. */
export class ClusterDriver {
  readonly #child: Child;
  readonly #classes: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<ApplicationReport>>();
  #nextId = 1;

  constructor(home: SparkHome, directory: string) {
    this.#classes = home.classes;
    const onLine = (line: string): void => this.#take(line);
    const main = "bm.cluster.ClusterDriver";
    this.#child = startJava(home, directory, { name: "driver", main, onLine });
    void this.#child.exited.then(() => this.#fail());
  }

  /** Runs the jobs as one application. Rejects with Spark's message when one fails. */
  run(
    jobs: readonly JobName[],
    conf: Readonly<Record<string, string>>,
  ): Promise<ApplicationReport> {
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = Promise.withResolvers<ApplicationReport>();
    if (this.#child.isGone) return Promise.reject(new Error("the driver is gone"));
    this.#waiting.set(id, answer);
    const known = {
      "spark.app.name": "bm-interop",
      "spark.executor.extraClassPath": this.#classes,
    };
    this.#child.say(JSON.stringify({ id, jobs, conf: { ...known, ...conf } }));
    return answer.promise;
  }

  /** Ends the JVM; an application that runs fails. May be called twice. */
  async close(): Promise<void> {
    await this.#child.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #take(text: string): void {
    const answer = JSON.parse(text) as Answer;
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(answer.error));
  }

  #fail(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error("the driver ended"));
    this.#waiting.clear();
  }
}
