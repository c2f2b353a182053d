/** The executor processes: starts them, notices their end, ends them. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const STOP_GRACE_MS = 3_000;

/** What executors are started with. */
export interface ExecutorProcessesOptions {
  /** `host:port` of the driver. */
  readonly driver: string;
  readonly directory: string;
  /** Told once of each one that ends before {@link ExecutorProcesses.stop}. */
  readonly onLost: (executorId: string, how: string) => void;
}

/** Names of the executors of a job. */
export function executorIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `executor-${index + 1}`);
}

/** See the file comment. */
export class ExecutorProcesses {
  readonly #options: ExecutorProcessesOptions;
  readonly #processes = new Map<string, ChildProcess>();
  #isStopping = false;

  constructor(options: ExecutorProcessesOptions) {
    this.#options = options;
  }

  /** Starts one process for each id. */
  start(ids: readonly string[]): void {
    for (const id of ids) this.#spawn(id);
  }

  /** Ends one executor without warning. */
  kill(executorId: string): void {
    this.#processes.get(executorId)?.kill("SIGKILL");
  }

  /** Ends every process that is still there; resolves when none is. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#processes.values()].map(stopProcess));
  }

  #spawn(id: string): void {
    const { driver, directory, onLost } = this.#options;
    const script = join(import.meta.dirname, "executor.ts");
    // The pipe to standard input tells an executor when whoever started it is gone, however it went.
    const child = spawn(process.execPath, [...process.execArgv, script, id, driver, directory], {
      stdio: ["pipe", "inherit", "inherit"],
    });
    this.#processes.set(id, child);
    let isLost = false;
    const lost = (how: string): void => {
      if (!isLost && !this.#isStopping) onLost(id, how);
      isLost = true;
    };
    child.on("error", (error) => lost(error.message));
    child.on("exit", (code, signal) => lost(signal ?? `exit code ${code ?? 0}`));
  }
}

/** Ends a process, at once if it does not go by itself; resolves when it has. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
  await exited;
  clearTimeout(timer);
}
