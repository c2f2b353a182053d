import { mkdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FILE_REGION_BYTES, regionBytes } from "@bm/interop";

const FILE_NAME = "region";

/** Path of the file region in `directory`, which is written when it is not there. */
export function prepareRegionFile(directory: string): string {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, FILE_NAME);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.size === FILE_REGION_BYTES) return file;
  writeFileSync(`${file}.${process.pid}`, regionBytes(FILE_REGION_BYTES));
  renameSync(`${file}.${process.pid}`, file);
  return file;
}
