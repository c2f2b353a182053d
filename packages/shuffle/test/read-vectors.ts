import { readFileSync } from "node:fs";
import { join } from "node:path";

export const VECTORS: string = join(import.meta.dirname, "vectors");

/** A file of recorded values; all were made by Spark 4.1.2 unless an entry says otherwise. */
export function readVectors(name: string): unknown {
  return JSON.parse(readFileSync(join(VECTORS, name), "utf8"));
}
