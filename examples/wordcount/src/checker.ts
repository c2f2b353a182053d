/**
 * The independent count: one process, no shuffle, and code that shares nothing with the job but the
 * list of files. Reads file ranges as JSON from standard input, writes `[word, count]` pairs.
 */
import { readFileSync } from "node:fs";
import { type FileRange, readRange } from "./input.ts";

const ranges = JSON.parse(readFileSync(0, "utf8")) as FileRange[];
const counts = new Map<string, number>();
for (const range of ranges) {
  for (const part of readRange(range)
    .toString("latin1")
    .split(/[^A-Za-z]+/)) {
    if (part === "") continue;
    const word = part.toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
}
process.stdout.write(JSON.stringify([...counts]));
