import { TransportError } from "../transport-error.ts";
import { type BodyReader, ManagedBuffer } from "./managed-buffer.ts";

/** Where the bytes come from. */
export interface StreamManagedBufferOptions {
  /** Exact number of bytes that the stream gives. */
  readonly size: number;
  /**
   * Starts the stream; called once per reading. Each piece must stay unchanged until the second
   * piece after it was asked for. Ending early calls the iterator's `return`.
   */
  readonly open: () => AsyncIterable<Uint8Array>;
}

/** A body that is produced while it is sent. Its size must be known before. */
export class StreamManagedBuffer extends ManagedBuffer {
  readonly size: number;
  readonly #open: () => AsyncIterable<Uint8Array>;

  constructor(options: StreamManagedBufferOptions) {
    super();
    this.size = options.size;
    this.#open = options.open;
  }

  /** @throws TransportError BODY_UNAVAILABLE (rejects) when the stream cannot be started. */
  async open(): Promise<BodyReader> {
    try {
      return new StreamBodyReader(this.#open()[Symbol.asyncIterator](), this.size);
    } catch (error) {
      throw unavailable("the stream could not be started", error);
    }
  }
}

class StreamBodyReader implements BodyReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #size: number;
  #givenBytes = 0;
  #isSourceDone = false;
  #isClosed = false;

  constructor(source: AsyncIterator<Uint8Array>, size: number) {
    this.#source = source;
    this.#size = size;
  }

  async next(): Promise<Uint8Array | null> {
    if (this.#isClosed) throw new TransportError("BODY_RELEASED", "the stream was given up");
    for (;;) {
      const piece = this.#isSourceDone ? null : await this.#pull();
      if (piece === null) return this.#end();
      if (piece.length > 0) return this.#counted(piece);
    }
  }

  async close(): Promise<void> {
    const isOver = this.#isClosed || this.#isSourceDone;
    this.#isClosed = true;
    // What a source that is given up has to say interests nobody.
    if (!isOver) await this.#source.return?.().catch(() => {});
  }

  async #pull(): Promise<Uint8Array | null> {
    try {
      const step = await this.#source.next();
      return step.done === true ? null : step.value;
    } catch (error) {
      this.#isSourceDone = true;
      throw unavailable("the stream failed", error);
    }
  }

  #end(): null {
    this.#isSourceDone = true;
    if (this.#givenBytes === this.#size) return null;
    throw unavailable(`the stream ended after ${this.#givenBytes} of ${this.#size} bytes`);
  }

  #counted(piece: Uint8Array): Uint8Array {
    this.#givenBytes += piece.length;
    if (this.#givenBytes <= this.#size) return piece;
    throw unavailable(`the stream gave more than the ${this.#size} bytes that were declared`);
  }
}

function unavailable(message: string, cause?: unknown): TransportError {
  return new TransportError("BODY_UNAVAILABLE", message, { cause });
}
