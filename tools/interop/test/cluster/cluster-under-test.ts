/** A standalone cluster with two shuffle services, ours and Spark's own, and what local mode computes. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type Conf, clusterConf, LOCAL_MODE } from "../../src/cluster/application-conf.ts";
import { BmShuffleService } from "../../src/cluster/bm-shuffle-service.ts";
import {
  type ApplicationReport,
  ClusterDriver,
  type JobName,
} from "../../src/cluster/cluster-driver.ts";
import type { ShuffleService } from "../../src/cluster/shuffle-service.ts";
import { SmallDisk } from "../../src/cluster/small-disk.ts";
import { SparkCluster } from "../../src/cluster/spark-cluster.ts";
import { buildSparkHome } from "../../src/cluster/spark-home.ts";
import { SparkShuffleService } from "../../src/cluster/spark-shuffle-service.ts";

/** Which of the two shuffle services an application uses. */
export type ServiceName = "bm serve" | "Spark's service";

/** Room for every job at once; little enough to be filled in a moment. */
const DISK_MEGABYTES = 512;

/** See the file comment. Made by `start`. */
export class ClusterUnderTest {
  readonly ours: BmShuffleService;
  /** Everything that executors and `bm serve` write is on it; null where none can be mounted. */
  readonly disk: SmallDisk | null;
  readonly #theirs: SparkShuffleService;
  readonly #cluster: SparkCluster;
  readonly #driver: ClusterDriver;
  readonly #localDirectory: string;
  /** What every job computes without a cluster. */
  readonly inLocalMode: ApplicationReport;

  private constructor(parts: {
    readonly ours: BmShuffleService;
    readonly theirs: SparkShuffleService;
    readonly disk: SmallDisk | null;
    readonly cluster: SparkCluster;
    readonly driver: ClusterDriver;
    readonly localDirectory: string;
    readonly inLocalMode: ApplicationReport;
  }) {
    this.ours = parts.ours;
    this.disk = parts.disk;
    this.#theirs = parts.theirs;
    this.#cluster = parts.cluster;
    this.#driver = parts.driver;
    this.#localDirectory = parts.localDirectory;
    this.inLocalMode = parts.inLocalMode;
  }

  /** `onStarted` gets what is to be ended, also when a later step fails; the last one first. */
  static async start(
    jobs: readonly JobName[],
    onStarted: (end: () => Promise<void>) => void,
  ): Promise<ClusterUnderTest> {
    const directory = await mkdtemp(join(tmpdir(), "bm-cluster-"));
    onStarted(() => rm(directory, { recursive: true, force: true }));
    const localDirectory = join(directory, "local");
    await mkdir(localDirectory);
    const disk = await SmallDisk.mount(localDirectory, DISK_MEGABYTES);
    if (disk !== null) onStarted(() => disk.unmount());
    const home = await buildSparkHome();
    const driver = new ClusterDriver(home, directory);
    onStarted(() => driver.close());
    const local = driver.run(jobs, LOCAL_MODE);
    local.catch(() => {});
    const ours = await BmShuffleService.start(directory, localDirectory);
    onStarted(() => ours.close());
    const theirs = await SparkShuffleService.start(home, directory, localDirectory);
    onStarted(() => theirs.close());
    const cluster = await SparkCluster.start(home, directory, localDirectory);
    onStarted(() => cluster.close());
    const inLocalMode = await local;
    const parts = { ours, theirs, disk, cluster, driver, localDirectory, inLocalMode };
    return new ClusterUnderTest(parts);
  }

  /** Runs an application; the second value is how many bytes the service gave out meanwhile. */
  async run(
    name: ServiceName,
    jobs: readonly JobName[],
    conf: Conf = {},
  ): Promise<[ApplicationReport, number]> {
    const service: ShuffleService = name === "bm serve" ? this.ours : this.#theirs;
    const before = await service.counters();
    const report = await this.begin(jobs, conf, service);
    const after = await service.counters();
    return [report, after.bytes - before.bytes];
  }

  /** Begins an application, through our service by default. */
  begin(
    jobs: readonly JobName[],
    conf: Conf = {},
    service: ShuffleService = this.ours,
  ): Promise<ApplicationReport> {
    const base = clusterConf(this.#cluster.masterUrl, service.port, this.#localDirectory);
    const running = this.#driver.run(jobs, { ...base, ...conf });
    running.catch(() => {});
    return running;
  }

  /** Resolves when our service gives out more than until now; rejects when the job ends first. */
  async moreBytesBefore(running: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort(new Error("the job ended before it read more"));
    running.then(end, end);
    const { bytes } = await this.ours.counters();
    while ((await this.ours.counters()).bytes === bytes) {
      over.signal.throwIfAborted();
      await sleep(50);
    }
  }
}

/** The results are those of local mode. */
export function expectSameRows(
  { inLocalMode }: ClusterUnderTest,
  report: ApplicationReport,
  jobs: readonly JobName[],
): void {
  for (const job of jobs) {
    const { rows, sha256 } = report.results[job] ?? {};
    expect({ job, rows, sha256 }).toMatchObject({
      rows: inLocalMode.results[job]?.rows,
      sha256: inLocalMode.results[job]?.sha256,
    });
  }
}

/** The results are those of local mode, and nothing was tried twice. */
export function expectSameResults(
  cluster: ClusterUnderTest,
  report: ApplicationReport,
  jobs: readonly JobName[],
): void {
  expectSameRows(cluster, report, jobs);
  expect(report.counters).toMatchObject({ failedTasks: 0, fetchFailures: 0, failures: [] });
}
