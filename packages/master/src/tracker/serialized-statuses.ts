/**
 * The statuses of a shuffle in the form in which executors fetch them:
 *
 *     +----------+-----------------+---------------+----------------+----------------+-----+
 *     | 0: uint8 | columns: uint32 | frame: uint32 | columns' frame | frame of sizes | ... |
 *     +----------+-----------------+---------------+----------------+----------------+-----+
 *
 * Big-endian. The tag is 0 (1: statuses-broadcast.ts); then the length of the columns, and that of their
 * zstd frame. The columns are the message SerializedMapStatuses of proto/master.proto, in the order of the
 * map indexes; places are written once and referred to by index. Sizes stand one after the other in a few
 * frames, so that as many threads work at them; they stay where they are when they are read.
 */
import type { BlockManagerId } from "@bm/block";
import { bm } from "../gen/master.js";
import { MasterError } from "../master-error.ts";
import { idToWire } from "../protocol/values.ts";
import { CompressedSizes } from "./block-sizes.ts";
import type { MapStatus } from "./map-status.ts";
import { MergeStatus } from "./merge-status.ts";
import type { ShuffleOutputs } from "./shuffle-outputs.ts";
import { IDS_BYTES, StatusColumns } from "./status-columns.ts";
import { compressed, compressedPieces, decompressed, LANES, lengthOf } from "./status-stream.ts";

const TAG_DIRECT = 0;

const COLUMNS_LENGTH_AT = 1;
const FRAME_LENGTH_AT = 5;
const HEAD_BYTES = 9;
/** Sizes that are worth a thread of their own. */
const FRAME_BYTES_MIN = 1024 * 1024;

/** The bytes that {@link deserializeStatuses} reads. What changes meanwhile is not in them. */
export async function serializeStatuses(outputs: ShuffleOutputs): Promise<Uint8Array> {
  const { byMapIndex, numMaps } = outputs;
  const mapIndexes = byMapIndex.size === numMaps ? [] : inOrder(outputs);
  const statuses = Array.from({ length: byMapIndex.size }, (_, row) => {
    return byMapIndex.get(mapIndexes[row] ?? row) as MapStatus;
  });
  const ends = frameEnds(statuses);
  const frames = await Promise.all(
    ends.map((end, frame) => compressedSizes(statuses.slice(ends[frame - 1] ?? 0, end))),
  );
  const columns = bm.master.SerializedMapStatuses.encode({
    numMaps,
    mapIndexes,
    ...columnsOf(statuses),
    frameEnds: ends,
    frameLengths: frames.map(lengthOf),
  }).finish();
  return withHead(columns, frames.flat());
}

/** The bytes that {@link deserializeMergeStatuses} reads. */
export function serializeMergeStatuses(
  byPartition: ReadonlyMap<number, MergeStatus>,
): Promise<Uint8Array> {
  const slots = [...byPartition].map(([partition, of]) => ({ partition, status: of.toBytes() }));
  return withHead(bm.master.SerializedMergeStatuses.encode({ slots }).finish(), []);
}

/** What {@link serializeStatuses} made. @throws MasterError STATUSES_MALFORMED (rejects). */
export async function deserializeStatuses(
  shuffleId: number,
  bytes: Uint8Array,
): Promise<ShuffleOutputs> {
  try {
    const { columns, end } = await columnsIn(bytes);
    const wire = bm.master.SerializedMapStatuses.decode(columns);
    const { numMaps, frameLengths } = wire;
    const statuses = new StatusColumns(wire);
    const starts: number[] = [];
    let at = end;
    for (const length of frameLengths) {
      starts.push(at);
      at += length;
    }
    if (at !== bytes.length) throw new RangeError(`frames end at ${at}, bytes at ${bytes.length}`);
    await Promise.all(
      starts.map(async (start, frame) => {
        const sizes = bytes.subarray(start, start + (frameLengths[frame] ?? 0));
        statuses.setFrame(frame, await decompressed(sizes, statuses.frameBytes(frame)));
      }),
    );
    return { shuffleId, numMaps, byMapIndex: statuses };
  } catch (cause) {
    throw new MasterError("STATUSES_MALFORMED", `statuses of shuffle ${shuffleId}`, { cause });
  }
}

/** What was merged, by reduce partition. @throws MasterError STATUSES_MALFORMED (rejects). */
export async function deserializeMergeStatuses(
  shuffleId: number,
  bytes: Uint8Array,
): Promise<Map<number, MergeStatus>> {
  try {
    const { columns } = await columnsIn(bytes);
    const { slots } = bm.master.SerializedMergeStatuses.decode(columns);
    return new Map(
      slots.map(({ partition, status }) => [
        partition ?? 0,
        MergeStatus.fromBytes(status ?? new Uint8Array(0)),
      ]),
    );
  } catch (cause) {
    throw new MasterError("STATUSES_MALFORMED", `merges of shuffle ${shuffleId}`, { cause });
  }
}

async function withHead(columns: Uint8Array, frames: readonly Uint8Array[]): Promise<Uint8Array> {
  const frame = await compressed(columns);
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = TAG_DIRECT;
  head.writeUInt32BE(columns.length, COLUMNS_LENGTH_AT);
  head.writeUInt32BE(frame.length, FRAME_LENGTH_AT);
  return Buffer.concat([head, frame, ...frames]);
}

/** The columns, and where the frames behind them begin. */
async function columnsIn(bytes: Uint8Array): Promise<{ columns: Uint8Array; end: number }> {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(HEAD_BYTES, bytes.byteLength));
  if (head[0] !== TAG_DIRECT) throw new RangeError(`unknown tag ${head[0] ?? "(none)"}`);
  const end = HEAD_BYTES + head.readUInt32BE(FRAME_LENGTH_AT);
  if (end > bytes.length) throw new RangeError(`columns end at ${end}`);
  const frame = bytes.subarray(HEAD_BYTES, end);
  return { end, columns: await decompressed(frame, head.readUInt32BE(COLUMNS_LENGTH_AT)) };
}

function inOrder({ byMapIndex }: ShuffleOutputs): number[] {
  return [...byMapIndex.keys()].toSorted((a, b) => a - b);
}

/** Of each frame the first row that is not in it. Frames are of one size, about, as many as threads. */
function frameEnds(statuses: readonly MapStatus[]): number[] {
  const all = statuses.reduce((sum, { sizes }) => sum + sizes.byteLength, 0);
  const frameBytes = Math.max(FRAME_BYTES_MIN, all / LANES);
  const ends: number[] = [];
  let bytes = 0;
  for (const [row, { sizes }] of statuses.entries()) {
    bytes += sizes.byteLength;
    if (bytes < frameBytes && row < statuses.length - 1) continue;
    ends.push(row + 1);
    bytes = 0;
  }
  return ends;
}

async function compressedSizes(statuses: readonly MapStatus[]): Promise<readonly Uint8Array[]> {
  const runs = CompressedSizes.runs(statuses.map(({ sizes }) => sizes));
  const bytes = lengthOf(runs);
  return bytes < FRAME_BYTES_MIN ? [await compressed(Buffer.concat(runs))] : compressedPieces(runs);
}

type Columns = bm.master.SerializedMapStatuses.$Properties;

function columnsOf(statuses: readonly MapStatus[]): Columns {
  // Trackers have one object for each place, so that its identity will do.
  const places = new Map<BlockManagerId, number>();
  const locationIndexes: number[] = [];
  const sizesLengths: number[] = [];
  const ids = Buffer.allocUnsafe(IDS_BYTES * statuses.length);
  let at = 0;
  for (const { location, mapId, checksum, sizes } of statuses) {
    const place = places.get(location) ?? places.size;
    places.set(location, place);
    locationIndexes.push(place);
    sizesLengths.push(2 * sizes.byteLength + (sizes.form === "compressed" ? 0 : 1));
    at = ids.writeBigInt64BE(checksum, ids.writeBigInt64BE(mapId, at));
  }
  return { locations: [...places.keys()].map(idToWire), locationIndexes, sizesLengths, ids };
}
