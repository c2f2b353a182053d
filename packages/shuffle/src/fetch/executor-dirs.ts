/**
 * Where executors write. Asked once, of a shuffle service or of the executor itself, and remembered for
 * those that were used last.
 */
import type { BlockManagerId } from "@bm/block";
import type { RequestOptions } from "@bm/transport";
import { ShuffleError } from "../shuffle-error.ts";

/** The part of a client that knows where executors write. */
export interface LocalDirsClient {
  /** See `ExternalShuffleClient.getHostLocalDirs`. */
  getHostLocalDirs(
    host: string,
    port: number,
    execIds: readonly string[],
    options?: RequestOptions,
  ): Promise<ReadonlyMap<string, readonly string[]>>;
}

/** See the file comment. */
export class ExecutorDirs {
  readonly #client: LocalDirsClient;
  readonly #executorsMax: number;
  /** By executor; the one used last comes last. */
  readonly #dirs = new Map<string, Promise<readonly string[]>>();

  constructor(client: LocalDirsClient, executorsMax: number) {
    this.#client = client;
    this.#executorsMax = executorsMax;
  }

  /**
   * The directories, in the order in which they place files.
   * @throws ShuffleError ANSWER_INVALID; TransportError (rejects). The next caller asks again.
   */
  of(location: BlockManagerId, options: RequestOptions): Promise<readonly string[]> {
    const { key } = location;
    const known = this.#dirs.get(key);
    this.#dirs.delete(key);
    const dirs = known ?? this.#ask(location, options);
    this.#dirs.set(key, dirs);
    const [oldest] = this.#dirs.keys();
    if (this.#dirs.size > this.#executorsMax && oldest !== undefined) this.#dirs.delete(oldest);
    return dirs;
  }

  async #ask(location: BlockManagerId, options: RequestOptions): Promise<readonly string[]> {
    const { executorId, host, key, port } = location;
    try {
      const answer = await this.#client.getHostLocalDirs(host, port, [executorId], options);
      const dirs = answer.get(executorId);
      if (dirs !== undefined && dirs.length > 0) return dirs;
      const text = `no local directories of executor ${executorId} at ${location.hostPort}`;
      throw new ShuffleError("ANSWER_INVALID", text);
    } catch (error) {
      this.#dirs.delete(key);
      throw error;
    }
  }
}
