/** The executor processes: starts them, notices their end, ends them. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { type RpcEndpointRef, type RpcEnv } from "@bm/rpc";
import { EXECUTOR_ENDPOINT, type ExecutorReady } from "./messages.ts";
import type { Worker } from "./stage.ts";

const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 3_000;

/** One executor process that has registered. */
export interface Executor extends Worker {
  readonly pid: number;
  readonly endpoint: RpcEndpointRef;
}

interface Started {
  readonly id: string;
  readonly process: ChildProcess;
  readonly ready: PromiseWithResolvers<void>;
  executor: Executor | null;
  isAlive: boolean;
}

/** What an executor is started with. */
export interface ExecutorPoolOptions {
  readonly env: RpcEnv;
  readonly directory: string;
  readonly onLost: (executorId: string, how: string) => void;
}

/** See the file comment. */
export class ExecutorPool {
  readonly #options: ExecutorPoolOptions;
  readonly #started = new Map<string, Started>();
  #isStopping = false;

  constructor(options: ExecutorPoolOptions) {
    this.#options = options;
  }

  /** Executors that have registered and are running. */
  get alive(): Executor[] {
    return [...this.#started.values()].flatMap(({ executor, isAlive }) =>
      executor !== null && isAlive ? [executor] : [],
    );
  }

  /** Starts `count` processes and resolves when all have registered. */
  async start(count: number): Promise<void> {
    for (let index = 1; index <= count; index += 1) this.#spawn(`executor-${index}`);
    const timeout = AbortSignal.timeout(START_TIMEOUT_MS);
    const late = new Promise<never>((_resolve, reject) => {
      timeout.addEventListener("abort", () =>
        reject(new Error(`executors did not register within ${START_TIMEOUT_MS / 1000} s`)),
      );
    });
    await Promise.race([
      Promise.all([...this.#started.values()].map(({ ready }) => ready.promise)),
      late,
    ]);
  }

  /** An executor says that it is ready. */
  register({ executorId, host, port }: ExecutorReady): void {
    const started = this.#started.get(executorId);
    if (started === undefined) throw new Error(`${executorId} was not started by this driver`);
    const endpoint = this.#options.env.endpointRef({ host, port }, EXECUTOR_ENDPOINT);
    started.executor = {
      id: executorId,
      pid: started.process.pid ?? 0,
      endpoint,
      get isAlive() {
        return started.isAlive;
      },
    };
    started.ready.resolve();
  }

  /** Ends one executor without warning. */
  kill(executorId: string): void {
    this.#started.get(executorId)?.process.kill("SIGKILL");
  }

  /** Ends every process that is still there; resolves when none is. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#started.values()].map(stopProcess));
  }

  #spawn(id: string): void {
    const { env, directory } = this.#options;
    const driver = `${env.address?.host ?? ""}:${env.address?.port ?? 0}`;
    const script = join(import.meta.dirname, "executor.ts");
    // The pipe to standard input tells an executor when its driver is gone, however it went.
    const child = spawn(process.execPath, [...process.execArgv, script, id, driver, directory], {
      stdio: ["pipe", "inherit", "inherit"],
    });
    const started: Started = {
      id,
      process: child,
      ready: Promise.withResolvers(),
      executor: null,
      isAlive: true,
    };
    this.#started.set(id, started);
    const lost = (how: string): void => {
      if (!started.isAlive) return;
      started.isAlive = false;
      started.ready.reject(new Error(`${id} ended before it registered: ${how}`));
      if (!this.#isStopping) this.#options.onLost(id, how);
    };
    started.ready.promise.catch(() => {});
    child.on("error", (error) => lost(error.message));
    child.on("exit", (code, signal) => lost(signal ?? `exit code ${code ?? 0}`));
  }
}

async function stopProcess({ process: child }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
  await exited;
  clearTimeout(timer);
}
