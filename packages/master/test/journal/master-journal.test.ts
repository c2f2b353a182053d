import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MasterJournal } from "@bm/master";
import { type Logger, nodePlatform, silentLogger } from "@bm/transport";
import { ManualClock } from "@bm/transport/testing";
import { ClassicLevel } from "classic-level";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryRows } from "./memory-rows.ts";

let root: string;
let masterStateDir: string;
let errors: string[];
let logger: Logger;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bm-master-journal-"));
  masterStateDir = join(root, "deep", "state");
  errors = [];
  logger = { ...silentLogger, error: (text) => void errors.push(text) };
});
afterEach(() => rm(root, { recursive: true }));

async function overMemory(
  options: { waitingRowsMax?: number } = {},
): Promise<{ rows: MemoryRows; journal: MasterJournal; clock: ManualClock }> {
  const [rows, clock] = [new MemoryRows(), new ManualClock()];
  const platform = { ...nodePlatform(), clock };
  return { rows, clock, journal: await MasterJournal.over(rows, { ...options, platform, logger }) };
}

const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function put(journal: MasterJournal, key: string, value = ""): void {
  journal.put(key, Buffer.from(value));
}

async function rowsOf(journal: MasterJournal, prefix: string): Promise<string[]> {
  const rows: string[] = [];
  await journal.read(prefix, (key, value) => rows.push(`${key}=${Buffer.from(value).toString()}`));
  return rows;
}

describe("the journal of the master", () => {
  it("gives back what was written before it was closed, by the start of the key", async () => {
    const journal = await MasterJournal.open({ masterStateDir, logger });
    put(journal, "m/1", "one");
    put(journal, "m/2", "two");
    put(journal, "n/1", "other");
    journal.delete("m/2");
    await journal.close();
    await using again = await MasterJournal.open({ masterStateDir, logger });
    expect(await rowsOf(again, "m/")).toEqual(["m/1=one"]);
    expect([journal.generation, again.generation]).toEqual([1, 2]);
    expect(errors).toEqual([]);
  });

  it("writes the changes of a while together, the last one of each row", async () => {
    const { rows, journal, clock } = await overMemory();
    rows.writes.splice(0);
    for (let value = 0; value < 100; value++) put(journal, `m/${value % 10}`, String(value));
    expect(journal.state).toMatchObject({ waitingRows: 10, writtenRows: 0 });
    clock.advance(20);
    await settled();
    expect(rows.writes).toEqual([10]);
    expect(rows.textOf("m/3")).toBe("93");
    expect(journal.state).toMatchObject({ waitingRows: 0, writtenRows: 10 });
  });

  it("tries a failed write again, with newer changes in place of older ones", async () => {
    const { rows, journal, clock } = await overMemory();
    rows.isFull = true;
    put(journal, "m/1", "old");
    put(journal, "m/2", "two");
    await journal.flush();
    put(journal, "m/1", "new");
    clock.advance(1000);
    await settled();
    expect(journal.state).toMatchObject({ waitingRows: 2, failedWrites: 2, isGivenUp: false });
    expect(errors).toHaveLength(1);
    rows.isFull = false;
    clock.advance(1000);
    await settled();
    expect([...rows.rows.keys()].toSorted()).toEqual(["generation", "m/1", "m/2"]);
    expect(rows.textOf("m/1")).toBe("new");
  });

  it("gives up when more waits than may, and leaves on disk what was there", async () => {
    const { rows, journal, clock } = await overMemory({ waitingRowsMax: 3 });
    put(journal, "m/0", "kept");
    await journal.flush();
    for (let row = 0; row < 4; row++) put(journal, `m/${row}`, "lost");
    expect(journal.state).toMatchObject({ waitingRows: 0, isGivenUp: true });
    expect(errors).toEqual([expect.stringContaining("it is not written any more")]);
    put(journal, "m/9");
    clock.advance(1000);
    await settled();
    expect(rows.textOf("m/0")).toBe("kept");
    expect(rows.rows.has("m/9")).toBe(false);
  });

  it("may be closed twice, and takes no changes then", async () => {
    const journal = await MasterJournal.open({ masterStateDir, logger });
    await journal.close();
    await journal.close();
    put(journal, "m/1");
    expect(journal.state.waitingRows).toBe(0);
  });
});

describe("a state directory", () => {
  it("that is closed while it is read is not taken for damaged", async () => {
    const journal = await MasterJournal.open({ masterStateDir, logger });
    for (let row = 0; row < 10_000; row++) put(journal, `m/${row}`);
    await journal.flush();
    const reading = journal.read("m/", () => {});
    await Promise.all([
      expect(reading).rejects.toMatchObject({ code: "STATE_UNUSABLE" }),
      journal.close(),
    ]);
    expect(await readdir(join(root, "deep"))).toEqual(["state"]);
  });

  it("that is damaged is set aside, and a new one begun", async () => {
    const journal = await MasterJournal.open({ masterStateDir, logger });
    put(journal, "m/1", "one");
    await journal.close();
    await writeFile(join(masterStateDir, "CURRENT"), "nonsense");
    await using again = await MasterJournal.open({ masterStateDir, logger });
    expect(again.generation).toBe(1);
    expect(await rowsOf(again, "m/")).toEqual([]);
    expect(errors).toEqual([expect.stringMatching(/is damaged .* set aside as .*\.damaged-1 /)]);
    expect((await readdir(join(root, "deep"))).toSorted()).toEqual(["state", "state.damaged-1"]);
  });

  it("whose damage shows when it is read is set aside, too", async () => {
    const journal = await MasterJournal.open({ masterStateDir, logger });
    for (let row = 0; row < 1000; row++) put(journal, `m/${row}`, "x".repeat(1000));
    await journal.close();
    // Closing and opening again moves the rows from the log into a table.
    await (await MasterJournal.open({ masterStateDir, logger })).close();
    const tables = (await readdir(masterStateDir)).filter((name) => /\.(ldb|log)$/.test(name));
    for (const name of tables) {
      const bytes = await readFile(join(masterStateDir, name));
      bytes.fill(0xa5, bytes.length >> 2, bytes.length >> 1);
      await writeFile(join(masterStateDir, name), bytes);
    }
    await using again = await MasterJournal.open({ masterStateDir, logger });
    const count = (await rowsOf(again, "m/")).length;
    expect(count).toBeLessThan(1000);
    put(again, "m/new", "row");
    await again.flush();
    expect(again.state.failedWrites).toBe(0);
  });

  it("of another version is refused, and left as it is", async () => {
    await nodePlatform().files.makeDirectory(masterStateDir);
    const database = new ClassicLevel(masterStateDir);
    await database.put("version", "2");
    await database.close();
    await expect(MasterJournal.open({ masterStateDir, logger })).rejects.toMatchObject({
      code: "STATE_UNUSABLE",
      message: expect.stringContaining("is of version 2, this is version 1"),
    });
    expect(await readdir(join(root, "deep"))).toEqual(["state"]);
  });

  it("that another driver uses is refused", async () => {
    await using first = await MasterJournal.open({ masterStateDir, logger });
    expect(first.generation).toBe(1);
    await expect(MasterJournal.open({ masterStateDir, logger })).rejects.toMatchObject({
      code: "STATE_UNUSABLE",
      message: expect.stringContaining("another process uses it"),
    });
  });

  it("that cannot be made is refused", async () => {
    await writeFile(join(root, "deep"), "a file");
    await expect(MasterJournal.open({ masterStateDir, logger })).rejects.toMatchObject({
      code: "STATE_UNUSABLE",
    });
  });
});
