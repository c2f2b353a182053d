import { type BodyReader, ManagedBuffer } from "@bm/transport";

/** A body that is sent more than once: released when its owner and every borrower are done. */
export class LentBody {
  readonly #body: ManagedBuffer;
  #holders = 1;
  #isGivenUp = false;

  constructor(body: ManagedBuffer) {
    this.#body = body;
  }

  /** The same bytes, to be released by whoever gets them. */
  lend(): ManagedBuffer {
    this.#holders += 1;
    return new Loan(this.#body, () => this.#drop());
  }

  /** The owner needs it no more. Safe to call twice. */
  release(): void {
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    this.#drop();
  }

  #drop(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#body.release();
  }
}

class Loan extends ManagedBuffer {
  readonly size: number;
  readonly #body: ManagedBuffer;
  #drop: (() => void) | null;

  constructor(body: ManagedBuffer, drop: () => void) {
    super();
    this.size = body.size;
    this.#body = body;
    this.#drop = drop;
  }

  override get segment(): ManagedBuffer["segment"] {
    return this.#body.segment;
  }

  open(): Promise<BodyReader> {
    return this.#body.open();
  }

  override bytes(): Promise<Uint8Array> {
    return this.#body.bytes();
  }

  override release(): void {
    this.#drop?.();
    this.#drop = null;
  }
}
