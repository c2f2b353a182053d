import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { serviceReport } from "../src/service/service-report.ts";
import { SERVICE_SUITES, serviceSuitesNamed } from "../src/service/service-suites.ts";

const MAIN = join(import.meta.dirname, "..", "src", "main.ts");

interface ServiceRun {
  readonly results: readonly {
    readonly suite: string;
    readonly ours: readonly Readonly<Record<string, number | null>>[];
  }[];
}

async function runQuickly(...suites: readonly string[]): Promise<ServiceRun> {
  const chosen = suites.flatMap((name) => ["--suite", `service-${name}`]);
  const pace = ["--quick", "--round-seconds", "0.05", "--warm-up-seconds", "0.05"];
  const args = [MAIN, ...chosen, ...pace, "--peer", "none", "--json"];
  const flags = ["--conditions=@bm/source"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, ...args]);
  return JSON.parse(stdout) as ServiceRun;
}

describe("the benchmark of the shuffle service", () => {
  it("fetches, diagnoses, registers and restarts with bm serve as its own process", async () => {
    const names = ["storm-by-map-4-clients", "diagnose-16k", "register", "restart", "open-100x100"];
    const { results } = await runQuickly(...names);
    expect(results.map(({ suite }) => suite)).toEqual(names.map((name) => `service-${name}`));
    const [fetched, diagnosed, registered, restarted, opened] = results.map(({ ours }) => ours[0]);
    expect(fetched?.["blocks/s"]).toBeGreaterThan(0);
    expect(fetched?.["peak memory"]).toBeGreaterThan(0);
    expect(diagnosed?.["diagnoses/s"]).toBeGreaterThan(0);
    expect(registered?.["executors/s"]).toBeGreaterThan(0);
    expect(restarted?.["answering after"]).toBeGreaterThan(0);
    expect(opened?.["held when the connection is gone"]).toBe(0);
  }, 120_000);

  it("runs all of them for the name service, and one for its own name", () => {
    expect(serviceSuitesNamed("service")).toEqual(SERVICE_SUITES);
    expect(serviceSuitesNamed("service-start").map(({ name }) => name)).toEqual(["service-start"]);
    expect(serviceSuitesNamed("connect")).toEqual([]);
  });

  it("says of each figure whether it is what is wanted", () => {
    const [suite] = serviceSuitesNamed("service-register");
    if (suite === undefined) throw new Error("no suite");
    const ours = [{ "executors/s": 300, "server CPU": 5 }];
    const faster = serviceReport([{ suite, ours, theirs: [{ "executors/s": 200 }] }]);
    expect(faster).toMatch(/executors\/s, \/s +300 +200 +1\.50 \[1\.50-1\.50\].* yes$/m);
    const slower = serviceReport([{ suite, ours, theirs: [{ "executors/s": 400 }] }]);
    expect(slower).toMatch(/executors\/s, \/s +300 +400 +0\.75 \[0\.75-0\.75\].* no$/m);
    const alone = serviceReport([{ suite, ours, theirs: [] }]);
    expect(alone).toMatch(/executors\/s, \/s +300 +ratio at least 1$/m);
  });
});
