import { CompressedSizes } from "./block-sizes.ts";
import { MapStatus } from "./map-status.ts";

/** Of the codes of some hundred maps. */
const SLAB_BYTES = 256 * 1024;

/**
 * Keeps the size codes of many maps in few arrays. An array of its own for each of 200,000 maps keeps the
 * collector busy, and one that is a view on a message keeps the message.
 */
export class SizeSlabs {
  #slab: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** The same status, with its codes here. Those of a status that is replaced stay until all are gone. */
  keep(status: MapStatus): MapStatus {
    const { location, mapId, checksum, sizes } = status;
    if (sizes.form !== "compressed" || sizes.byteLength >= SLAB_BYTES / 2) return status;
    if (this.#used + sizes.byteLength > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += sizes.byteLength;
    this.#slab.set(sizes.bytes(), from);
    const kept = new CompressedSizes(this.#slab, from, this.#used);
    return new MapStatus({ location, mapId, checksum, sizes: kept });
  }
}
