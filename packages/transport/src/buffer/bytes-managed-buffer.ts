import type { BodyLease } from "./body-lease.ts";
import { type BodyReader, ManagedBuffer } from "./managed-buffer.ts";

/** A body in memory. */
export class BytesManagedBuffer extends ManagedBuffer {
  /** The content itself, not a copy. */
  readonly view: Uint8Array;
  readonly #lease: BodyLease | null;

  /** `lease` is given when `view` is only lent for the current turn. */
  constructor(view: Uint8Array, lease: BodyLease | null = null) {
    super();
    this.view = view;
    this.#lease = lease;
  }

  get size(): number {
    return this.view.length;
  }

  override keep(): BytesManagedBuffer {
    return this.#lease === null ? this : new BytesManagedBuffer(this.#lease.keep(this.view));
  }

  override bytes(): Promise<Uint8Array> {
    return Promise.resolve(this.keep().view);
  }

  open(): Promise<BodyReader> {
    // Taken before the caller's turn ends, while a lent view is still valid.
    let rest: Uint8Array | null = this.view.length === 0 ? null : this.keep().view;
    return Promise.resolve({
      next: () => {
        const piece = rest;
        rest = null;
        return Promise.resolve(piece);
      },
      close: () => Promise.resolve(),
    });
  }
}
