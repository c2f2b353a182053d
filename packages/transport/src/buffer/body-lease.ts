/**
 * Memory that arrived bytes lie in, while they are only lent: for the current turn, to whoever was
 * called with them.
 */
export interface BodyLease {
  /**
   * Bytes with the content of `bytes` that are the caller's own from now on: the same memory where it
   * can be given away, else a copy. Only within the turn in which the bytes were lent.
   */
  keep(bytes: Uint8Array): Uint8Array;
}

/** Lends from a buffer that every read overwrites: what is kept is copied. */
export const readBufferLease: BodyLease = {
  keep: (bytes) => {
    const copy = Buffer.allocUnsafeSlow(bytes.length);
    copy.set(bytes);
    return copy;
  },
};
