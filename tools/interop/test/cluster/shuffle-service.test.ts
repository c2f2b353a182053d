import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
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
import { BmShuffleService } from "../../src/cluster/bm-shuffle-service.ts";
import {
  type ApplicationReport,
  ClusterDriver,
  type JobName,
} from "../../src/cluster/cluster-driver.ts";
import type { ShuffleService } from "../../src/cluster/shuffle-service.ts";
import { SparkCluster } from "../../src/cluster/spark-cluster.ts";
import { buildSparkHome } from "../../src/cluster/spark-home.ts";
import { SparkShuffleService } from "../../src/cluster/spark-shuffle-service.ts";
import { missingTools } from "../../src/jvm-build.ts";

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

const DRILL_JOBS: readonly JobName[] = ["slowReduce", "flippedByte"];

const START_TIMEOUT_MS = 400_000;
/** A quiet machine needs about ten seconds; two busy cores need a minute. */
const LIMITS = { timeout: 300_000 };

describe.skipIf(missing !== null)("interop with a standalone cluster", LIMITS, () => {
  let localDirectory = "";
  let ours: BmShuffleService;
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
    const jobs: JobName[] = [...RDD_JOBS, ...SQL_JOBS, "releasedExecutors", ...DRILL_JOBS];
    const local = driver.run(jobs, LOCAL_MODE);
    local.catch(() => {});
    ours = await BmShuffleService.start(directory, localDirectory);
    services.set("bm serve", ours);
    ends.push(() => ours.close());
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

  describe.each(["bm serve", "Spark's service"])("through %s", (name) => {
    it("computes what local mode computes, and every remote byte came from the service", async () => {
      const jobs = [...RDD_JOBS, ...SQL_JOBS];
      const [report, served] = await run(name, jobs);
      expectSameResults(report, jobs);
      expect(report.counters.remoteBytes).toBeGreaterThan(1_000_000);
      expect(served).toBe(report.counters.remoteBytes);
    });

    it("reads the files of released executors, and has them deleted", async () => {
      const [report, served] = await run(name, ["releasedExecutors"], DYNAMIC_ALLOCATION);
      expectReleased(report);
      // Blocks of the cached RDD came from the other host besides.
      expect(served).toBeGreaterThan(report.counters.remoteBytes);
    });
  });

  describe("through bm serve in other ways", () => {
    it("computes the same with the old fetch protocol and blocks as streams", async () => {
      const conf = { ...OLD_FETCH_PROTOCOL, ...BLOCKS_AS_STREAMS };
      const [report, served] = await run("bm serve", RDD_JOBS, conf);
      expectSameResults(report, RDD_JOBS);
      expect(report.counters.bytesToDisk).toBeGreaterThan(1_000_000);
      expect(served).toBe(report.counters.remoteBytes);
    });

    it("reads the files of released executors with the old fetch protocol", async () => {
      const conf = { ...DYNAMIC_ALLOCATION, ...OLD_FETCH_PROTOCOL };
      const [report, served] = await run("bm serve", ["releasedExecutors"], conf);
      expectReleased(report);
      expect(served).toBeGreaterThan(report.counters.remoteBytes);
    });

    it("tells where the files of an executor of the same host are", async () => {
      const conf = { ...DYNAMIC_ALLOCATION, ...HOST_LOCAL_READS };
      const [report, served] = await run("bm serve", ["releasedExecutors"], conf);
      expectReleased(report);
      expect(report.counters.localBytes).toBeGreaterThan(0);
      expect(served).toBeGreaterThan(report.counters.remoteBytes);
    });
  });

  describe("through bm serve in trouble", () => {
    it("loses nothing when the service pauses for ten seconds, is killed and starts again", async () => {
      const base = clusterConf(cluster.masterUrl, ours.port, localDirectory);
      const running = driver.run(["slowReduce"], base);
      running.catch(() => {});
      await moreBytesBefore(running);
      ours.signal("SIGSTOP");
      await sleep(10_000);
      ours.signal("SIGCONT");
      await moreBytesBefore(running);
      ours.signal("SIGKILL");
      await sleep(1000);
      await ours.restart();
      // A new process counts from zero, and knows the executors of the old one from its database.
      await moreBytesBefore(running);
      expectSameResults(await running, ["slowReduce"]);
    });

    it("serves beside 2,000 connections that never say anything", async () => {
      const idle = await idleConnections(2000, ours.port);
      try {
        const [report, served] = await run("bm serve", ["repartition"]);
        expectSameResults(report, ["repartition"]);
        expect(served).toBe(report.counters.remoteBytes);
        expect(idle.filter((socket) => socket.readyState !== "open")).toEqual([]);
      } finally {
        for (const socket of idle) socket.destroy();
      }
    });

    it("finds out that the disk turned a byte over, and the job is right after all", async () => {
      const [report] = await run("bm serve", ["flippedByte"]);
      const { rows, sha256, facts } = report.results.flippedByte ?? {};
      const expected = inLocalMode.results.flippedByte;
      expect({ rows, sha256 }).toEqual({ rows: expected?.rows, sha256: expected?.sha256 });
      expect(report.counters.fetchFailures).toBeGreaterThan(0);
      expect(facts?.["fetchFailureText"]).toContain("DISK_ISSUE");
    });
  });

  /** Resolves when the service gives out more than until now; rejects when the job ends first. */
  async function moreBytesBefore(running: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort(new Error("the job ended before it read more"));
    running.then(end, end);
    const { bytes } = await ours.counters();
    while ((await ours.counters()).bytes === bytes) {
      over.signal.throwIfAborted();
      await sleep(50);
    }
  }

  function expectReleased(report: ApplicationReport): void {
    expectSameResults(report, ["releasedExecutors"]);
    const facts = report.results.releasedExecutors?.facts;
    // Nothing was computed twice: what the first executors left behind was read.
    expect(facts).toMatchObject({ mapTasksRepeated: 0, rowsComputed: 12_000 });
    for (const fact of ["released", "releasedLater", "filesBeforeRemoval"]) {
      expect(facts?.[fact], fact).toBeGreaterThan(0);
    }
    expect(facts?.["filesAfterRemoval"]).toBe(0);
  }
});

async function idleConnections(count: number, port: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port, "127.0.0.1"));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  return sockets;
}

if (missing !== null) console.warn(`The standalone cluster is not tested: ${missing}.`);
