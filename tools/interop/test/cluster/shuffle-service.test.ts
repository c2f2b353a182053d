import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BLOCKS_AS_STREAMS,
  type Conf,
  clusterConf,
  DYNAMIC_ALLOCATION,
  HOST_LOCAL_READS,
  LOCAL_MODE,
  OLD_FETCH_PROTOCOL,
} from "../../src/cluster/application-conf.ts";
import {
  type ApplicationReport,
  ClusterDriver,
  type JobName,
} from "../../src/cluster/cluster-driver.ts";
import type { ShuffleService } from "../../src/cluster/shuffle-service.ts";
import { SparkCluster } from "../../src/cluster/spark-cluster.ts";
import { buildSparkHome } from "../../src/cluster/spark-home.ts";
import { SparkShuffleService } from "../../src/cluster/spark-shuffle-service.ts";
import { missingTools } from "../../src/jvm-peer.ts";

const missing = await missingTools();

const RDD_JOBS: readonly JobName[] = [
  "wordCount",
  "sort",
  "join",
  "groupBy",
  "repartition",
  "cachedRdd",
];
const SQL_JOBS: readonly JobName[] = ["sqlAdaptive", "sqlFixedPlan"];

const START_TIMEOUT_MS = 240_000;
/** A quiet machine needs about ten seconds; two busy cores need a minute. */
const APPLICATION_TIMEOUT_MS = 150_000;

describe.skipIf(missing !== null)("interop with a standalone cluster", () => {
  let localDirectory = "";
  let cluster: SparkCluster;
  let driver: ClusterDriver;
  let inLocalMode: ApplicationReport;
  const services = new Map<string, ShuffleService>();
  /** What a start-up that failed half-way has to end too; the last one first. */
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), "bm-cluster-"));
    ends.push(() => rm(directory, { recursive: true, force: true }));
    localDirectory = join(directory, "local");
    await mkdir(localDirectory);
    const home = await buildSparkHome();
    driver = new ClusterDriver(home, directory);
    ends.push(() => driver.close());
    const jobs: JobName[] = [...RDD_JOBS, ...SQL_JOBS, "releasedExecutors"];
    const local = driver.run(jobs, LOCAL_MODE);
    local.catch(() => {});
    const spark = await SparkShuffleService.start(home, directory, localDirectory);
    services.set("Spark's service", spark);
    ends.push(() => spark.close());
    cluster = await SparkCluster.start(home, directory, localDirectory);
    ends.push(() => cluster.close());
    inLocalMode = await local;
  }, START_TIMEOUT_MS);

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  }, 60_000);

  /** Runs an application; the second value is how many bytes the service gave out meanwhile. */
  async function run(
    name: string,
    jobs: readonly JobName[],
    conf: Conf = {},
  ): Promise<[ApplicationReport, number]> {
    const service = services.get(name);
    if (service === undefined) throw new Error(`${name} is not running`);
    const before = await service.counters();
    const base = clusterConf(cluster.masterUrl, service.port, localDirectory);
    const report = await driver.run(jobs, { ...base, ...conf });
    const after = await service.counters();
    return [report, after.bytes - before.bytes];
  }

  function expectSameResults(report: ApplicationReport, jobs: readonly JobName[]): void {
    for (const job of jobs) {
      const { rows, sha256 } = report.results[job] ?? {};
      expect({ job, rows, sha256 }).toMatchObject({
        rows: inLocalMode.results[job]?.rows,
        sha256: inLocalMode.results[job]?.sha256,
      });
    }
    expect(report.counters).toMatchObject({ failedTasks: 0, fetchFailures: 0 });
  }

  describe.each(["Spark's service"])("through %s", (name) => {
    it(
      "computes what local mode computes, and every remote byte came from the service",
      async () => {
        const jobs = [...RDD_JOBS, ...SQL_JOBS];
        const [report, served] = await run(name, jobs);
        expectSameResults(report, jobs);
        expect(report.counters.remoteBytes).toBeGreaterThan(1_000_000);
        expect(served).toBe(report.counters.remoteBytes);
      },
      APPLICATION_TIMEOUT_MS,
    );

    it(
      "computes the same with the old fetch protocol and blocks as streams",
      async () => {
        const conf = { ...OLD_FETCH_PROTOCOL, ...BLOCKS_AS_STREAMS };
        const [report, served] = await run(name, RDD_JOBS, conf);
        expectSameResults(report, RDD_JOBS);
        expect(report.counters.bytesToDisk).toBeGreaterThan(1_000_000);
        expect(served).toBe(report.counters.remoteBytes);
      },
      APPLICATION_TIMEOUT_MS,
    );

    it(
      "reads the files of released executors, and has them deleted",
      async () => {
        const [report, served] = await run(name, ["releasedExecutors"], DYNAMIC_ALLOCATION);
        expectReleased(report);
        // Blocks of the cached RDD came from the other host besides.
        expect(served).toBeGreaterThan(report.counters.remoteBytes);
      },
      APPLICATION_TIMEOUT_MS,
    );

    it(
      "does so with the old fetch protocol too",
      async () => {
        const conf = { ...DYNAMIC_ALLOCATION, ...OLD_FETCH_PROTOCOL };
        const [report, served] = await run(name, ["releasedExecutors"], conf);
        expectReleased(report);
        expect(served).toBeGreaterThan(report.counters.remoteBytes);
      },
      APPLICATION_TIMEOUT_MS,
    );

    it(
      "tells where the files of an executor of the same host are",
      async () => {
        const conf = { ...DYNAMIC_ALLOCATION, ...HOST_LOCAL_READS };
        const [report, served] = await run(name, ["releasedExecutors"], conf);
        expectReleased(report);
        expect(report.counters.localBytes).toBeGreaterThan(0);
        expect(served).toBeGreaterThan(report.counters.remoteBytes);
      },
      APPLICATION_TIMEOUT_MS,
    );
  });

  function expectReleased(report: ApplicationReport): void {
    expectSameResults(report, ["releasedExecutors"]);
    const facts = report.results.releasedExecutors?.facts;
    // Nothing was computed twice: what the first executors left behind was read.
    expect(facts).toMatchObject({ mapTasksRepeated: 0, rowsComputed: 12_000 });
    expect(facts?.["released"]).toBeGreaterThan(0);
    expect(facts?.["releasedLater"]).toBeGreaterThan(0);
    expect(facts?.["filesBeforeRemoval"]).toBeGreaterThan(0);
    expect(facts?.["filesAfterRemoval"]).toBe(0);
  }
});

if (missing !== null) console.warn(`The standalone cluster is not tested: ${missing}.`);
