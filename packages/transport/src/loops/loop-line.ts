/**
 * The line between two event loops of a process: messages and questions, in order, in both directions.
 *
 *     { kind: "message", body }
 *     { kind: "ask", id, body }   answered by  { kind: "answer", id, body } or { kind: "failure", id, ... }
 */
import type { LoopPort } from "../platform/node-loop-thread.ts";
import { failureClassOf, responseBodyOf } from "../server/failure-text.ts";
import { TransportError } from "../transport-error.ts";

/** What the other loop says. */
export interface LoopEars {
  onMessage(body: unknown): void;
  /** A throw or a rejection travels back as the failure of the question. */
  onAsk(body: unknown): unknown;
}

type Wire =
  | { readonly kind: "message"; readonly body: unknown }
  | { readonly kind: "ask"; readonly id: number; readonly body: unknown }
  | Outcome;

type Outcome =
  | { readonly kind: "answer"; readonly id: number; readonly body: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly failure: FailureFields };

/** What is kept of an error: all that a peer would be told of it. */
interface FailureFields {
  readonly message: string;
  readonly javaClass: string;
  readonly responseBody: Uint8Array | null;
}

const DEAF: LoopEars = {
  onMessage: () => {},
  onAsk: () => {
    throw new TransportError("UNSUPPORTED", "nobody answers the loops of this server");
  },
};

/** See the file comment. */
export class LoopLine {
  readonly #port: LoopPort;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #ears: LoopEars = DEAF;
  #nextId = 0;
  #lost: TransportError | null = null;

  constructor(port: LoopPort) {
    this.#port = port;
    port.onMessage((message) => this.#take(message as Wire));
  }

  /** Who hears what the other loop says. Until then its questions are refused. */
  hearWith(ears: LoopEars): void {
    this.#ears = ears;
  }

  /** Says something that wants no answer. `transfer` is moved, not copied. */
  post(body: unknown, transfer?: readonly ArrayBuffer[]): void {
    if (this.#lost === null) this.#port.post({ kind: "message", body } satisfies Wire, transfer);
  }

  /**
   * Asks; the answer is a clone.
   * @throws TransportError REMOTE_FAILURE with the text, the `javaClass` and the `responseBody` of the
   *   other side's error; CLOSED when the other loop is gone (rejects).
   */
  ask(body: unknown): Promise<unknown> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#port.post({ kind: "ask", id, body } satisfies Wire);
    return answer.promise;
  }

  /** Nothing is heard any more, and every question fails, now and later. Safe to call twice. */
  close(cause?: unknown): void {
    this.#lost ??= new TransportError("CLOSED", "the event loop that was asked is gone", { cause });
    for (const { reject } of this.#waiting.values()) reject(this.#lost);
    this.#waiting.clear();
    this.#port.close();
  }

  #take(wire: Wire): void {
    if (wire.kind === "message") this.#ears.onMessage(wire.body);
    else if (wire.kind === "ask") void this.#answer(wire.id, wire.body);
    else this.#settle(wire);
  }

  #settle(outcome: Outcome): void {
    const question = this.#waiting.get(outcome.id);
    this.#waiting.delete(outcome.id);
    if (outcome.kind === "failure") question?.reject(errorOf(outcome.failure));
    else question?.resolve(outcome.body);
  }

  /** Never rejects. */
  async #answer(id: number, question: unknown): Promise<void> {
    let wire: Outcome;
    try {
      wire = { kind: "answer", id, body: await this.#ears.onAsk(question) };
    } catch (error) {
      wire = { kind: "failure", id, failure: fieldsOf(error) };
    }
    if (this.#lost === null) this.#port.post(wire);
  }
}

function fieldsOf(error: unknown): FailureFields {
  const known = error instanceof Error ? error : new Error(String(error));
  const { message } = known;
  return { message, javaClass: failureClassOf(known), responseBody: responseBodyOf(known) };
}

function errorOf({ javaClass, message, responseBody }: FailureFields): TransportError {
  const error = new TransportError("REMOTE_FAILURE", message, { javaClass });
  return responseBody === null ? error : Object.assign(error, { responseBody });
}
