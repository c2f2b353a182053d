import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileBasedTopologyMapper } from "@bm/master";
import { silentLogger } from "@bm/transport";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "../cluster.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bm-topology-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function load(text: string, warnings: string[] = []): Promise<FileBasedTopologyMapper> {
  const topologyFile = join(directory, "topology.properties");
  await writeFile(topologyFile, text);
  const logger = { ...silentLogger, warn: (line: string) => void warnings.push(line) };
  return FileBasedTopologyMapper.load({ topologyFile, logger });
}

describe("a topology file", () => {
  const lines: [what: string, text: string, host: string, topology: string | null][] = [
    ["an equals sign", "h1=/rack1", "h1", "/rack1"],
    ["blanks around it", "  h1  =  /rack1  ", "h1", "/rack1"],
    ["a colon", "h1:/rack1", "h1", "/rack1"],
    ["a blank", "h1 /rack1", "h1", "/rack1"],
    ["a comment above", "# h1=/wrong\n! h1=/wrong\nh1=/rack1", "h1", "/rack1"],
    ["the last of two lines", "h1=/first\nh1=/second", "h1", "/second"],
    ["lines of Windows", "h0=/a\r\nh1=/rack1\r\n", "h1", "/rack1"],
    ["a line that goes on", "h1=/ra\\\n   ck1", "h1", "/rack1"],
    ["escapes in a key", "fe80\\:\\:1=/rack1", "fe80::1", "/rack1"],
    ["characters by number", "h1=/r\\u00e4ck", "h1", "/räck"],
    ["text in UTF-8", "h1=/räck", "h1", "/räck"],
    ["a second separator in the value", "h1=/a=b:c", "h1", "/a=b:c"],
    ["no value", "h1", "h1", ""],
  ];
  for (const [what, text, host, topology] of lines) {
    it(`tells the topology of a host with ${what}`, async () => {
      expect((await load(text)).topologyOf(host)).toBe(topology);
    });
  }

  it("knows nothing of other hosts, and says so", async () => {
    const warnings: string[] = [];
    const mapper = await load("h1=/rack1", warnings);
    expect(mapper.topologyOf("h2")).toBeNull();
    expect(warnings).toEqual([expect.stringMatching(/^host h2 is not in the topology file/)]);
  });

  it("gives block managers their place", async () => {
    const topologyMapper = await load("h1=/rack1");
    await using cluster = await Cluster.start("in process", { topologyMapper });
    const near = await cluster.register({ executorId: "1", host: "h1" });
    const far = await cluster.register({ executorId: "2", host: "h2" });
    expect([near.id.topologyInfo, far.id.topologyInfo]).toEqual(["/rack1", null]);
  });

  it("that is not there, or has a bad line, is refused", async () => {
    const topologyFile = join(directory, "none");
    await expect(FileBasedTopologyMapper.load({ topologyFile })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("there is no such file"),
    });
    await expect(load("h1=\\u12")).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});
