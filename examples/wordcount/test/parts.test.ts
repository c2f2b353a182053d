import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cutIntoSplits, findInput, readRange } from "../src/input.ts";
import { runStage, type Worker } from "../src/stage.ts";
import { differencesBetween, mostFrequent } from "../src/verdict.ts";
import { wordsOf } from "../src/words.ts";

describe("words", () => {
  it("are runs of letters, in lower case", () => {
    expect([...wordsOf(Buffer.from("It's 2 words_here: Über"))]).toEqual([
      "it",
      "s",
      "words",
      "here",
      "ber",
    ]);
    expect([...wordsOf(Buffer.from(""))]).toEqual([]);
  });
});

describe("splits", () => {
  it("cut large files between words and cover every byte once", async () => {
    const directory = await mkdtemp(join(tmpdir(), "bm-splits-"));
    await writeFile(join(directory, "a.txt"), "abcdefghijklmnopqrs ".repeat(1_000_000));
    await writeFile(join(directory, "b.txt"), "x".repeat(100));
    const files = findInput(directory, 30_000_000);
    const ranges = cutIntoSplits(files).flat();
    const pieces = ranges.filter(({ path }) => path.endsWith("a.txt"));
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.reduce((bytes, { length }) => bytes + length, 0)).toBe(20_000_000);
    for (const piece of pieces.slice(1)) expect(readRange(piece)[0]).toBe(" ".charCodeAt(0));
    expect(findInput(directory, 1000)).toMatchObject([{ offset: 0, length: 1000 }]);
    await rm(directory, { recursive: true });
  });
});

describe("a stage", () => {
  it("gives the tasks of a lost worker to others", async () => {
    const workers = [
      { id: "a", isAlive: true },
      { id: "b", isAlive: true },
    ];
    const done: string[] = [];
    const left = await runStage<number, Worker>({
      tasks: [1, 2, 3, 4],
      workers: () => workers,
      onProgress: () => {},
      run: async (task, worker) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (worker.id === "a") {
          workers[0]!.isAlive = false;
          throw new Error("connection lost");
        }
        done.push(`${worker.id}${task}`);
        return "done";
      },
    });
    expect(left).toEqual([]);
    expect(done.toSorted()).toEqual(["b1", "b2", "b3", "b4"]);
  });

  it("fails when a task fails on a live worker, or nobody is left", async () => {
    const stage = {
      tasks: [1],
      onProgress: () => {},
      run: () => Promise.reject(new Error("bad input")),
    };
    await expect(
      runStage({ ...stage, workers: () => [{ id: "a", isAlive: true }] }),
    ).rejects.toThrow("bad input");
    await expect(runStage({ ...stage, workers: () => [] })).rejects.toThrow("no executor is left");
  });
});

describe("the verdict", () => {
  it("shows the first words that differ", () => {
    const counted = new Map([
      ["a", 1],
      ["b", 2],
      ["only", 3],
    ]);
    const expected = new Map([
      ["a", 1],
      ["b", 5],
      ["missing", 1],
    ]);
    expect(differencesBetween(counted, expected)).toEqual([
      { word: "b", counted: 2, expected: 5 },
      { word: "missing", counted: null, expected: 1 },
      { word: "only", counted: 3, expected: null },
    ]);
    expect(differencesBetween(counted, new Map(counted))).toEqual([]);
  });

  it("ranks words by frequency, ties by name", () => {
    expect(
      mostFrequent(
        new Map([
          ["b", 1],
          ["a", 1],
          ["c", 2],
        ]),
        2,
      ),
    ).toEqual([
      ["c", 2],
      ["a", 1],
    ]);
  });
});
