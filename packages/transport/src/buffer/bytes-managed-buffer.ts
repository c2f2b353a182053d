import { type BodyReader, ManagedBuffer } from "./managed-buffer.ts";

/** A body in memory. */
export class BytesManagedBuffer extends ManagedBuffer {
  /** The content itself, not a copy. */
  readonly view: Uint8Array;
  readonly #isBorrowed: boolean;

  /** `isBorrowed` says that `view` lies in a buffer that is overwritten after the current turn. */
  constructor(view: Uint8Array, options: { readonly isBorrowed?: boolean } = {}) {
    super();
    this.view = view;
    this.#isBorrowed = options.isBorrowed ?? false;
  }

  get size(): number {
    return this.view.length;
  }

  override keep(): BytesManagedBuffer {
    return this.#isBorrowed ? new BytesManagedBuffer(copyOf(this.view)) : this;
  }

  override bytes(): Promise<Uint8Array> {
    return Promise.resolve(this.#isBorrowed ? copyOf(this.view) : this.view);
  }

  open(): Promise<BodyReader> {
    // Taken before the caller's turn ends, while a borrowed view is still valid.
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

function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
