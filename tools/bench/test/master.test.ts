import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { MasterResult } from "../src/master/master-report.ts";

const MAIN = join(import.meta.dirname, "../src/main.ts");
const run = promisify(execFile);

describe("the suite of the master", () => {
  it("loses no message, and notices executors that were killed", async () => {
    const options = ["--suite", "master", "--quick", "--peer", "none", "--json"];
    const { stdout } = await run(process.execPath, ["--conditions=@bm/source", MAIN, ...options]);
    const { cluster, statuses } = JSON.parse(stdout) as MasterResult;
    expect(cluster.phases.map(({ wrong }) => wrong)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(cluster.knowledge).toMatchObject({ managers: 30, blocks: 30_000, locations: 30_000 });
    expect(cluster.afterKill).toMatchObject({ managers: 20, blocks: 20_000, locations: 20_000 });
    expect(statuses.ours).toHaveLength(1);
    expect(statuses.spark).toEqual([]);
  });
});
