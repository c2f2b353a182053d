import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FILE_REGION_BYTES, regionBytes } from "@bm/interop";

const FILE_NAME = "region";
/** A byte depends on the low 24 bits of its position, so the region repeats itself. */
const PERIOD_BYTES = 2 ** 24;

/** Path of the file region in `directory`, which is written when it is not there. */
export function prepareRegionFile(directory: string): string {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, FILE_NAME);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.size === FILE_REGION_BYTES) return file;
  const unfinished = `${file}.${process.pid}`;
  writeRegion(unfinished);
  renameSync(unfinished, file);
  return file;
}

/** In pieces: the whole in memory would show in the peak of a server that writes it. */
function writeRegion(path: string): void {
  const piece = regionBytes(PERIOD_BYTES);
  const handle = openSync(path, "w");
  try {
    let position = 0;
    while (position < FILE_REGION_BYTES) {
      const rest = Math.min(PERIOD_BYTES - (position % PERIOD_BYTES), FILE_REGION_BYTES - position);
      position += writeSync(handle, piece, position % PERIOD_BYTES, rest, position);
    }
  } finally {
    closeSync(handle);
  }
}
