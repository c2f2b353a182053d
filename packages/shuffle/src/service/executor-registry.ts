/**
 * Which executors are known and where each of them writes.
 *
 * One owner: every change goes through here, is made durable first and visible second. Changes that
 * come while one write is on its way travel together in the next one, in order.
 */
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";
import { ShuffleError } from "../shuffle-error.ts";
import type { ExecutorChange, ExecutorStore, RegisteredExecutor } from "./executor-store.ts";
import { executorNotRegistered } from "./service-failure.ts";

/** Bounds of what one registration may bring: a path is at most 4,096 bytes on Linux. */
const REGISTRATION_LIMITS = {
  idBytesMax: 1024,
  localDirsMax: 1024,
  localDirBytesMax: 4096,
  shuffleManagerBytesMax: 16 * 1024,
} as const;

/** Options of {@link ExecutorRegistry}. */
export interface ExecutorRegistryOptions {
  readonly store: ExecutorStore;
  /** Registrations beyond this are refused. Default: 1,000,000. */
  readonly executorsMax?: number | undefined;
}

const EXECUTORS_MAX_DEFAULT = 1_000_000;

interface Pending {
  readonly change: ExecutorChange;
  readonly done: PromiseWithResolvers<void>;
}

/** See the file comment. */
export class ExecutorRegistry {
  readonly #role: "owner" | "replica";
  readonly #store: ExecutorStore;
  readonly #executorsMax: number;
  readonly #applications = new Map<string, Map<string, ExecutorShuffleInfo>>();
  #size = 0;
  #pending: Pending[] = [];
  #writing: Promise<void> | null = null;
  #isClosed = false;

  private constructor(options: ExecutorRegistryOptions, role: "owner" | "replica") {
    this.#role = role;
    this.#store = options.store;
    this.#executorsMax = options.executorsMax ?? EXECUTORS_MAX_DEFAULT;
  }

  /** Reads what the store kept. @throws whatever the store throws (rejects). */
  static async open(options: ExecutorRegistryOptions): Promise<ExecutorRegistry> {
    const registry = new ExecutorRegistry(options, "owner");
    await registry.load();
    return registry;
  }

  /**
   * A copy of a registry elsewhere, empty until `load`. The store takes changes there; they are
   * visible here when `applyAll` is called with them, which has happened when the store is done.
   */
  static replica(options: ExecutorRegistryOptions): ExecutorRegistry {
    return new ExecutorRegistry(options, "replica");
  }

  /** Reads what the store kept. Call once, before anything is registered. */
  async load(): Promise<void> {
    await this.#store.load((executor) => this.#put(executor));
    this.#store.restoreFrom?.(() => this.#all());
  }

  /** In a replica: changes that were made elsewhere, in their order. */
  applyAll(changes: readonly ExecutorChange[]): void {
    for (const change of changes) this.#apply(change);
  }

  /** Executors that are registered. */
  get size(): number {
    return this.#size;
  }

  /** Applications with at least one executor. */
  get applicationIds(): string[] {
    return [...this.#applications.keys()];
  }

  /** The executors of an application; empty when it is unknown. */
  executorsOf(appId: string): ReadonlyMap<string, ExecutorShuffleInfo> {
    return this.#applications.get(appId) ?? new Map();
  }

  /** @throws ShuffleError BLOCK_NOT_FOUND when the executor is not registered. */
  get(appId: string, execId: string): ExecutorShuffleInfo {
    const info = this.#applications.get(appId)?.get(execId);
    if (info === undefined) throw executorNotRegistered(appId, execId);
    return info;
  }

  /**
   * Resolves once the registration is durable. Another one of the same executor replaces it; the
   * same one again costs nothing.
   * @throws ShuffleError OPTION_INVALID at a limit, CLOSED; what the store throws (rejects).
   */
  async register(appId: string, execId: string, info: ExecutorShuffleInfo): Promise<void> {
    this.#checkLimits(appId, execId, info);
    const known = this.#applications.get(appId)?.get(execId);
    if (known !== undefined && isSame(known, info) && this.#pending.length === 0) return;
    await this.#change({ kind: "put", appId, execId, info });
  }

  /** Forgets executors; resolves once that is durable. */
  async remove(executors: Iterable<{ appId: string; execId: string }>): Promise<void> {
    const changes = [...executors].map(({ appId, execId }) =>
      this.#change({ kind: "remove", appId, execId }),
    );
    await Promise.all(changes);
  }

  /**
   * Forgets an executor unless it registered anew since `info` was read; true when it is forgotten.
   * May give up for this time while changes are being written.
   */
  async removeUnchanged(
    appId: string,
    execId: string,
    info: ExecutorShuffleInfo,
  ): Promise<boolean> {
    // A registration that is on its way would come before the removal, and be lost.
    if (this.#writing !== null || this.#isClosed) return false;
    if (this.#applications.get(appId)?.get(execId) !== info) return false;
    await this.#change({ kind: "remove", appId, execId });
    return true;
  }

  /** Forgets an application; resolves to what was known of it once that is durable. */
  async removeApplication(appId: string): Promise<ExecutorShuffleInfo[]> {
    const executors = [...this.executorsOf(appId)];
    await this.remove(executors.map(([execId]) => ({ appId, execId })));
    return executors.map(([, info]) => info);
  }

  /** Lets pending changes reach the store, then closes it. Safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    while (this.#writing !== null) await this.#writing;
    await this.#store.close();
  }

  *#all(): Generator<RegisteredExecutor> {
    for (const [appId, executors] of this.#applications) {
      for (const [execId, info] of executors) yield { appId, execId, info };
    }
  }

  #checkLimits(appId: string, execId: string, info: ExecutorShuffleInfo): void {
    const limits = REGISTRATION_LIMITS;
    const isTooLarge =
      Buffer.byteLength(appId) > limits.idBytesMax ||
      Buffer.byteLength(execId) > limits.idBytesMax ||
      info.localDirs.length > limits.localDirsMax ||
      info.localDirs.some((dir) => Buffer.byteLength(dir) > limits.localDirBytesMax) ||
      Buffer.byteLength(info.shuffleManager) > limits.shuffleManagerBytesMax;
    if (isTooLarge) {
      throw new ShuffleError("OPTION_INVALID", "a registration is larger than this service takes");
    }
    const isNew = this.#applications.get(appId)?.has(execId) !== true;
    if (isNew && this.#size + this.#pending.length >= this.#executorsMax) {
      const text = `${this.#executorsMax} executors are registered, no more are taken`;
      throw new ShuffleError("OPTION_INVALID", text);
    }
  }

  #change(change: ExecutorChange): Promise<void> {
    if (this.#isClosed) throw new ShuffleError("CLOSED", "the registry of executors is closed");
    const done = Promise.withResolvers<void>();
    this.#pending.push({ change, done });
    this.#writing ??= this.#writeAll();
    return done.promise;
  }

  /** Never rejects: each change gets the failure of its own write. */
  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        await this.#store.write(batch.map(({ change }) => change));
        for (const { change, done } of batch) {
          if (this.#role === "owner") this.#apply(change);
          done.resolve();
        }
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    this.#writing = null;
  }

  #apply(change: ExecutorChange): void {
    if (change.kind === "put") this.#put(change);
    else this.#forget(change.appId, change.execId);
  }

  #put({ appId, execId, info }: RegisteredExecutor): void {
    let executors = this.#applications.get(appId);
    if (executors === undefined) {
      executors = new Map();
      this.#applications.set(appId, executors);
    }
    if (!executors.has(execId)) this.#size += 1;
    executors.set(execId, info);
  }

  #forget(appId: string, execId: string): void {
    const executors = this.#applications.get(appId);
    if (executors?.delete(execId) !== true) return;
    this.#size -= 1;
    if (executors.size === 0) this.#applications.delete(appId);
  }
}

function isSame(a: ExecutorShuffleInfo, b: ExecutorShuffleInfo): boolean {
  return (
    a.subDirsPerLocalDir === b.subDirsPerLocalDir &&
    a.shuffleManager === b.shuffleManager &&
    a.localDirs.length === b.localDirs.length &&
    a.localDirs.every((dir, index) => dir === b.localDirs[index])
  );
}
