/** The executors as their driver sees them: who is ready for tasks, who is lost. */
import { type RpcEndpointRef, type RpcEnv } from "@bm/rpc";
import { EXECUTOR_ENDPOINT, type ExecutorReady } from "./messages.ts";
import type { Worker } from "./stage.ts";

const START_TIMEOUT_MS = 30_000;

/** One executor process that has registered. */
export interface Executor extends Worker {
  readonly pid: number;
  readonly endpoint: RpcEndpointRef;
}

interface Expected {
  readonly ready: PromiseWithResolvers<void>;
  executor: Executor | null;
  isAlive: boolean;
}

/** See the file comment. */
export class ExecutorPool {
  readonly #env: RpcEnv;
  readonly #expected: ReadonlyMap<string, Expected>;

  /** @param ids the executors that are started, by whomever. */
  constructor(env: RpcEnv, ids: readonly string[]) {
    this.#env = env;
    this.#expected = new Map(ids.map((id) => [id, expected()]));
  }

  /** Executors that have registered and are running. */
  get alive(): Executor[] {
    return [...this.#expected.values()].flatMap(({ executor, isAlive }) =>
      executor !== null && isAlive ? [executor] : [],
    );
  }

  /** Whether an executor is alive, ready or not. */
  expects(executorId: string): boolean {
    return this.#expected.get(executorId)?.isAlive ?? false;
  }

  /** Resolves when all have registered. */
  async ready(): Promise<void> {
    const timeout = AbortSignal.timeout(START_TIMEOUT_MS);
    const late = new Promise<never>((_resolve, reject) => {
      timeout.addEventListener("abort", () =>
        reject(new Error(`executors did not register within ${START_TIMEOUT_MS / 1000} s`)),
      );
    });
    const all = [...this.#expected.values()].map(({ ready }) => ready.promise);
    await Promise.race([Promise.all(all), late]);
  }

  /** An executor says that it is ready; it may say so more than once. */
  register({ executorId, pid, host, port }: ExecutorReady): void {
    const entry = this.#expected.get(executorId);
    if (entry === undefined) throw new Error(`${executorId} is no executor of this driver`);
    if (entry.executor !== null) return;
    const endpoint = this.#env.endpointRef({ host, port }, EXECUTOR_ENDPOINT);
    entry.executor = {
      id: executorId,
      pid,
      endpoint,
      get isAlive() {
        return entry.isAlive;
      },
    };
    entry.ready.resolve();
  }

  /** An executor is gone. */
  lost(executorId: string, how: string): void {
    const entry = this.#expected.get(executorId);
    if (entry === undefined) return;
    entry.isAlive = false;
    entry.ready.reject(new Error(`${executorId} ended before it registered: ${how}`));
  }
}

function expected(): Expected {
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {});
  return { ready, executor: null, isAlive: true };
}
