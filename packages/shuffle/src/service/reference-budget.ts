/**
 * Memory of blocks that were opened and not asked for yet. They belong to their connections, so the
 * way to get it back is to close one; a peer on the JVM takes that as a reason to try again later.
 */
export class ReferenceBudget {
  #bytesMax: number;
  #bytes = 0;

  /** @param bytesMax bytes that all streams together may hold. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Another limit from now on; what is held stays. */
  setMax(bytesMax: number): void {
    this.#bytesMax = bytesMax;
  }

  /** False when there is no room. */
  tryTake(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}
