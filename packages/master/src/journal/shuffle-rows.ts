/**
 * The rows of the map output tracker:
 *
 *     s/<shuffle>                 number of maps and the shuffle services that merge it, as JSON
 *     o/<shuffle>/<map index>     kind: uint8, then the MapStatus
 *     g/<shuffle>/<partition>     the MergeStatus
 *
 * Bit 0 of the kind is set where sizes are highly compressed, bit 1 where the output was lost.
 */
import { BlockManagerId } from "@bm/block";
import { MapStatus } from "../tracker/map-status.ts";
import { MergeStatus } from "../tracker/merge-status.ts";
import type { MasterJournal } from "./master-journal.ts";

/** Takes what was kept: shuffles first, then what is known of them. */
export interface ShuffleRowsVisitor {
  shuffle(shuffleId: number, numMaps: number, mergerLocations: readonly BlockManagerId[]): void;
  output(shuffleId: number, mapIndex: number, status: MapStatus, isLost: boolean): void;
  merge(shuffleId: number, partition: number, status: MergeStatus): void;
}

const HIGHLY_COMPRESSED = 1;
const LOST = 2;

/** See the file comment. */
export class ShuffleRows {
  readonly #journal: MasterJournal;

  constructor(journal: MasterJournal) {
    this.#journal = journal;
  }

  /** See {@link MasterJournal.generation}. */
  get generation(): number {
    return this.#journal.generation;
  }

  putShuffle(shuffleId: number, numMaps: number, mergers: readonly BlockManagerId[]): void {
    const mergerLocations = mergers.map((id) => Buffer.from(id.toBytes()).toString("base64"));
    this.#journal.put(`s/${shuffleId}`, Buffer.from(JSON.stringify({ numMaps, mergerLocations })));
  }

  deleteShuffle(shuffleId: number): void {
    this.#journal.delete(`s/${shuffleId}`);
  }

  putOutput(shuffleId: number, mapIndex: number, status: MapStatus, isLost: boolean): void {
    const form = status.sizes.form === "compressed" ? 0 : HIGHLY_COMPRESSED;
    const kind = Uint8Array.of(form | (isLost ? LOST : 0));
    this.#journal.put(`o/${shuffleId}/${mapIndex}`, Buffer.concat([kind, status.toBytes()]));
  }

  deleteOutput(shuffleId: number, mapIndex: number): void {
    this.#journal.delete(`o/${shuffleId}/${mapIndex}`);
  }

  putMerge(shuffleId: number, partition: number, status: MergeStatus): void {
    this.#journal.put(`g/${shuffleId}/${partition}`, status.toBytes());
  }

  deleteMerge(shuffleId: number, partition: number): void {
    this.#journal.delete(`g/${shuffleId}/${partition}`);
  }

  /** Hands over what is on disk. Gives the number of rows that could not be read. */
  async restore(visitor: ShuffleRowsVisitor): Promise<number> {
    let damaged = 0;
    const read = (prefix: string, take: (ids: number[], value: Uint8Array) => void) =>
      this.#journal.read(prefix, (key, value) => {
        try {
          take(key.split("/").slice(1).map(Number), value);
        } catch {
          damaged += 1;
        }
      });
    await read("s/", ([shuffleId = 0], value) => {
      const { numMaps, mergerLocations } = JSON.parse(Buffer.from(value).toString()) as {
        numMaps: number;
        mergerLocations: string[];
      };
      const ids = mergerLocations.map((text) =>
        BlockManagerId.fromBytes(Buffer.from(text, "base64")),
      );
      visitor.shuffle(shuffleId, numMaps, ids);
    });
    await read("o/", ([shuffleId = 0, mapIndex = 0], value) => {
      const kind = value[0] ?? 0;
      const form = (kind & HIGHLY_COMPRESSED) === 0 ? "compressed" : "highly compressed";
      const status = MapStatus.fromBytes(value.subarray(1), form);
      visitor.output(shuffleId, mapIndex, status, (kind & LOST) !== 0);
    });
    await read("g/", ([shuffleId = 0, partition = 0], value) =>
      visitor.merge(shuffleId, partition, MergeStatus.fromBytes(value)),
    );
    return damaged;
  }
}
