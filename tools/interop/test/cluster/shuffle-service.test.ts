import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BLOCKS_AS_STREAMS,
  DYNAMIC_ALLOCATION,
  HOST_LOCAL_READS,
  OLD_FETCH_PROTOCOL,
} from "../../src/cluster/application-conf.ts";
import type { ApplicationReport, JobName } from "../../src/cluster/cluster-driver.ts";
import { missingTools } from "../../src/jvm-build.ts";
import { ClusterUnderTest, expectSameResults } from "./cluster-under-test.ts";
import { describeDrills } from "./drills.ts";

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

const DRILL_JOBS: readonly JobName[] = ["slowReduce", "missingDirectory", "flippedByte"];

const START_TIMEOUT_MS = 400_000;
/** A quiet machine needs about ten seconds; two busy cores need a minute. */
const LIMITS = { timeout: 300_000 };

describe.skipIf(missing !== null)("interop with a standalone cluster", LIMITS, () => {
  let cluster: ClusterUnderTest;
  /** What a start-up that failed half-way has to end too; the last one first. */
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const jobs: JobName[] = [...RDD_JOBS, ...SQL_JOBS, "releasedExecutors", ...DRILL_JOBS];
    cluster = await ClusterUnderTest.start(jobs, (end) => ends.push(end));
  }, START_TIMEOUT_MS);

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  }, 60_000);

  describe.each(["bm serve", "Spark's service"] as const)("through %s", (name) => {
    it("computes what local mode computes, and every remote byte came from the service", async () => {
      const jobs = [...RDD_JOBS, ...SQL_JOBS];
      const [report, served] = await cluster.run(name, jobs);
      expectSameResults(cluster, report, jobs);
      expect(report.counters.remoteBytes).toBeGreaterThan(1_000_000);
      expect(served).toBe(report.counters.remoteBytes);
    });

    it("reads the files of released executors, and has them deleted", async () => {
      const [report, served] = await cluster.run(name, ["releasedExecutors"], DYNAMIC_ALLOCATION);
      expectReleased(report);
      // Blocks of the cached RDD came from the other host besides.
      expect(served).toBeGreaterThan(report.counters.remoteBytes);
    });
  });

  describe("through bm serve in other ways", () => {
    it("computes the same with the old fetch protocol and blocks as streams", async () => {
      const conf = { ...OLD_FETCH_PROTOCOL, ...BLOCKS_AS_STREAMS };
      const jobs = [...RDD_JOBS, ...SQL_JOBS];
      const [report, served] = await cluster.run("bm serve", jobs, conf);
      expectSameResults(cluster, report, jobs);
      expect(report.counters.bytesToDisk).toBeGreaterThan(1_000_000);
      expect(served).toBe(report.counters.remoteBytes);
    });

    it("reads the files of released executors with the old fetch protocol", async () => {
      const conf = { ...DYNAMIC_ALLOCATION, ...OLD_FETCH_PROTOCOL };
      const [report, served] = await cluster.run("bm serve", ["releasedExecutors"], conf);
      expectReleased(report);
      expect(served).toBeGreaterThan(report.counters.remoteBytes);
    });

    it("tells where the files of an executor of the same host are", async () => {
      const conf = { ...DYNAMIC_ALLOCATION, ...HOST_LOCAL_READS };
      const [report, served] = await cluster.run("bm serve", ["releasedExecutors"], conf);
      expectReleased(report);
      expect(report.counters.localBytes).toBeGreaterThan(0);
      expect(served).toBeGreaterThan(report.counters.remoteBytes);
    });
  });

  describeDrills(() => cluster);

  function expectReleased(report: ApplicationReport): void {
    expectSameResults(cluster, report, ["releasedExecutors"]);
    const facts = report.results.releasedExecutors?.facts;
    // Nothing was computed twice: what the first executors left behind was read.
    expect(facts).toMatchObject({ mapTasksRepeated: 0, rowsComputed: 12_000 });
    for (const fact of ["released", "releasedLater", "filesBeforeRemoval"]) {
      expect(facts?.[fact], fact).toBeGreaterThan(0);
    }
    expect(facts?.["filesAfterRemoval"]).toBe(0);
  }
});

if (missing !== null) console.warn(`The standalone cluster is not tested: ${missing}.`);
