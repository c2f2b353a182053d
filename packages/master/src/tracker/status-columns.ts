import type { BlockManagerId } from "@bm/block";
import type { bm } from "../gen/master.js";
import { MasterError } from "../master-error.ts";
import { idFromWire } from "../protocol/values.ts";
import { CompressedSizes, HighlyCompressedSizes } from "./block-sizes.ts";
import { MapStatus } from "./map-status.ts";

const LONG_BYTES = 8;
/** Map id and checksum. */
export const IDS_BYTES: number = 2 * LONG_BYTES;

/** Statuses by map index, known once and read often. */
export interface MapStatuses {
  readonly size: number;
  get(mapIndex: number): MapStatus | undefined;
  keys(): Iterable<number>;
}

/**
 * The statuses of a shuffle as they came: a status is made when it is asked for, so that an executor that
 * is told of 200,000 of them has no object for any.
 */
export class StatusColumns implements MapStatuses {
  readonly #columns: bm.master.SerializedMapStatuses;
  readonly #locations: readonly BlockManagerId[];
  readonly #ids: Buffer;
  /** Where the sizes of each row begin, in all frames together; one more for the end. */
  readonly #starts: Float64Array;
  readonly #frames: Uint8Array[] = [];
  /** Null where every map is known, so that its index is its row. */
  readonly #rows: ReadonlyMap<number, number> | null;

  /** @throws RangeError - columns that do not fit together. */
  constructor(columns: bm.master.SerializedMapStatuses) {
    const { ids, locationIndexes, mapIndexes, numMaps, sizesLengths } = columns;
    this.#columns = columns;
    this.#locations = columns.locations.map(idFromWire);
    this.#ids = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);
    const rows = locationIndexes.length;
    this.#starts = new Float64Array(rows + 1);
    for (let row = 0; row < rows; row++) {
      if ((locationIndexes[row] ?? 0) >= this.#locations.length) throw new RangeError("no place");
      this.#starts[row + 1] = this.#startOf(row) + ((sizesLengths[row] ?? 0) >>> 1);
    }
    const isDense = mapIndexes.length === 0 && rows === numMaps;
    const counts = [
      sizesLengths.length,
      ids.length / IDS_BYTES,
      isDense ? rows : mapIndexes.length,
    ];
    if (!counts.every((count) => count === rows)) throw new RangeError("odd columns");
    if (!mapIndexes.every((index, row) => index < numMaps && index > (mapIndexes[row - 1] ?? -1))) {
      throw new RangeError("map indexes out of order");
    }
    checkFrames(columns);
    this.#rows = isDense ? null : new Map(mapIndexes.map((mapIndex, row) => [mapIndex, row]));
  }

  get size(): number {
    return this.#columns.locationIndexes.length;
  }

  keys(): Iterable<number> {
    return this.#rows?.keys() ?? this.#columns.locationIndexes.keys();
  }

  /** Bytes of sizes in a frame. */
  frameBytes(frame: number): number {
    const { frameEnds } = this.#columns;
    return this.#startOf(frameEnds[frame] ?? 0) - this.#startOf(frameEnds[frame - 1] ?? 0);
  }

  /** Gives it the sizes of a frame; every frame has to be given before statuses are asked for. */
  setFrame(frame: number, sizes: Uint8Array): void {
    this.#frames[frame] = sizes;
  }

  /** @throws MasterError STATUSES_MALFORMED - sizes are not in the form that they are said to have. */
  get(mapIndex: number): MapStatus | undefined {
    const row = this.#rows === null ? mapIndex : this.#rows.get(mapIndex);
    const location = this.#locations[this.#columns.locationIndexes[row ?? -1] ?? -1];
    if (row === undefined || location === undefined) return undefined;
    return new MapStatus({
      location,
      mapId: this.#ids.readBigInt64BE(row * IDS_BYTES),
      checksum: this.#ids.readBigInt64BE(row * IDS_BYTES + LONG_BYTES),
      sizes: this.#sizesOf(row),
    });
  }

  #sizesOf(row: number): CompressedSizes | HighlyCompressedSizes {
    const { frameEnds, sizesLengths } = this.#columns;
    const frame = frameOf(frameEnds, row);
    const before = this.#startOf(frameEnds[frame - 1] ?? 0);
    const [start, end] = [this.#startOf(row) - before, this.#startOf(row + 1) - before];
    const sizes = this.#frames[frame] ?? new Uint8Array(0);
    const isCompressed = ((sizesLengths[row] ?? 0) & 1) === 0;
    if (isCompressed) return new CompressedSizes(sizes, start, end);
    try {
      return HighlyCompressedSizes.read(sizes.subarray(start, end)).sizes;
    } catch (cause) {
      throw new MasterError("STATUSES_MALFORMED", `sizes in row ${row}`, { cause });
    }
  }

  #startOf(row: number): number {
    return this.#starts[row] ?? 0;
  }
}

function checkFrames({
  frameEnds,
  frameLengths,
  sizesLengths,
}: bm.master.SerializedMapStatuses): void {
  const isInOrder = frameEnds.every((end, frame) => end > (frameEnds[frame - 1] ?? 0));
  const isWhole = (frameEnds.at(-1) ?? 0) === sizesLengths.length;
  if (isInOrder && isWhole && frameEnds.length === frameLengths.length) return;
  throw new RangeError("odd frames");
}

/** The first frame that ends behind a row. */
function frameOf(frameEnds: readonly number[], row: number): number {
  let [low, high] = [0, frameEnds.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((frameEnds[middle] ?? 0) > row) high = middle;
    else low = middle + 1;
  }
  return low;
}
