/**
 * What became of requests, in words that both peers use:
 *
 * - `ok`: the answer came, and every byte of it is right;
 * - `connection`: the connection failed; a fetcher of Spark would try again;
 * - `remote TEXT`: the other end said no; TEXT is the first line of what it said;
 * - `local CODE`: the requester's own side refused;
 * - `wrong TEXT`: the answer came and is not what was sent;
 * - `pending`: nothing was told yet.
 *
 * A request whose callback is called twice has both, joined by a comma.
 */
import { isConnectionError, TransportError } from "@bm/transport";
import type { Outcomes } from "./contract.ts";

const REMOTE_CODES: ReadonlySet<string> = new Set([
  "REMOTE_FAILURE",
  "CHUNK_FETCH_FAILED",
  "STREAM_FAILED",
]);

/** What arrived is not what was sent. */
export class WrongBytes extends Error {
  override readonly name = "WrongBytes";
}

/** One failure in those words. */
export function outcomeOf(error: Error): string {
  if (isConnectionError(error)) return "connection";
  if (error instanceof WrongBytes) return `wrong ${error.message}`;
  if (error instanceof TransportError && REMOTE_CODES.has(error.code)) {
    const text = error.message.replace(/^Failure while fetching StreamChunkId\[[^\]]*\]: /, "");
    return `remote ${(text.split("\n")[0] ?? "").trim()}`;
  }
  return `local ${error instanceof TransportError ? error.code : error.message}`;
}

/** Notes every call of every callback. */
export class Batch {
  readonly #outcomes: string[] = [];
  readonly #told: PromiseWithResolvers<void> = Promise.withResolvers();
  #waiting = 0;
  #bytes = 0;

  /** The number of a new request. */
  add(): number {
    this.#waiting += 1;
    return this.#outcomes.push("") - 1;
  }

  succeeded(request: number, bytes: number): void {
    this.#bytes += bytes;
    this.#tell(request, "ok");
  }

  failed(request: number, error: Error): void {
    this.#tell(request, outcomeOf(error));
  }

  /** Resolves when every request was told something. */
  async settled(): Promise<void> {
    if (this.#waiting > 0) await this.#told.promise;
  }

  report(): { readonly bytes: number; readonly outcomes: Outcomes } {
    const outcomes: Record<string, number> = {};
    for (const told of this.#outcomes) {
      const outcome = told === "" ? "pending" : told;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    return { bytes: this.#bytes, outcomes };
  }

  #tell(request: number, outcome: string): void {
    const before = this.#outcomes[request] ?? "";
    this.#outcomes[request] = before === "" ? outcome : `${before},${outcome}`;
    if (before !== "") return;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#told.resolve();
  }
}
