/**
 * The map outputs that a shuffle service is asked for: index, data and checksum files as a sort shuffle
 * leaves them, in the folders of one executor. All partitions of a shuffle have the same length.
 *
 * The byte at position p of the output of map m is that of the region of the transport's benchmark at
 * position p + m * 1,000,003, so whoever fetches a block knows each of its bytes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { localFilePath } from "@bm/block";
import { Adler32 } from "@bm/codec";
import { regionBytes } from "@bm/interop";

/** The executor that left the files. */
export const APP_ID = "app-20260101000000-0001";
export const EXECUTOR_ID = "0";
export const SUB_DIRS = 64;

/** A shuffle whose files are there. */
export interface ShuffleOutputs {
  readonly shuffleId: number;
  readonly maps: number;
  readonly partitions: number;
  readonly blockBytes: number;
}

const MAP_SHIFT = 1_000_003;
/** After so many bytes the region begins anew. */
const PERIOD_BYTES = 16 * 1024 * 1024;
const INT64_BYTES = 8;

/** Where in the region a block begins. */
export function regionOffset(outputs: ShuffleOutputs, map: number, partition: number): number {
  return map * MAP_SHIFT + partition * outputs.blockBytes;
}

/** Writes the files of a shuffle under the executor's directory. */
export function writeShuffleOutputs(localDir: string, outputs: ShuffleOutputs): void {
  const period = regionBytes(PERIOD_BYTES);
  const index = offsetsOf(outputs);
  for (let map = 0; map < outputs.maps; map += 1) {
    const name = `shuffle_${outputs.shuffleId}_${map}_0`;
    const data = dataOf(outputs, map, period);
    write(localDir, `${name}.data`, data);
    write(localDir, `${name}.checksum.ADLER32`, checksumsOf(outputs, data));
    write(localDir, `${name}.index`, index);
  }
}

function write(localDir: string, name: string, bytes: Uint8Array): void {
  const { path } = localFilePath([localDir], SUB_DIRS, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

function dataOf({ blockBytes, partitions }: ShuffleOutputs, map: number, period: Buffer): Buffer {
  const data = Buffer.allocUnsafe(partitions * blockBytes);
  for (let written = 0; written < data.length; ) {
    const start = (map * MAP_SHIFT + written) % PERIOD_BYTES;
    written += period.copy(data, written, start);
  }
  return data;
}

function offsetsOf({ blockBytes, partitions }: ShuffleOutputs): Buffer {
  const offsets = Buffer.alloc((partitions + 1) * INT64_BYTES);
  for (let at = 0; at <= partitions; at += 1) {
    offsets.writeBigInt64BE(BigInt(at * blockBytes), at * INT64_BYTES);
  }
  return offsets;
}

function checksumsOf({ blockBytes, partitions }: ShuffleOutputs, data: Buffer): Buffer {
  const checksums = Buffer.alloc(partitions * INT64_BYTES);
  for (let at = 0; at < partitions; at += 1) {
    const block = data.subarray(at * blockBytes, (at + 1) * blockBytes);
    checksums.writeBigInt64BE(BigInt(new Adler32().update(block).value), at * INT64_BYTES);
  }
  return checksums;
}
