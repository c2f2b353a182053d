/**
 * A job whose driver is a process of its own. It is killed in the middle of the shuffle and started
 * again: block managers and map outputs are known from its state directory, nothing is mapped twice.
 */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { parseRpcAddress } from "@bm/rpc";
import type { FromDriver, ToDriver } from "./driver-messages.ts";
import { ExecutorProcesses, executorIds, stopProcess } from "./executor-processes.ts";
import type { InputSplit } from "./input.ts";
import type { Job, JobReport } from "./job.ts";
import { note } from "./note.ts";
import type { WordCountOptions } from "./options.ts";

/** Starts the driver and the executors. Resolves when all executors are ready. */
export async function startSupervisedJob(
  options: WordCountOptions,
  directory: string,
): Promise<Job> {
  const job = new SupervisedJob(options, directory);
  try {
    await job.start();
  } catch (error) {
    await job.stop();
    throw error;
  }
  return job;
}

class SupervisedJob implements Job {
  cast = "";
  driverRestarts = 0;
  readonly #options: WordCountOptions;
  readonly #directory: string;
  readonly #ready = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<JobReport>();
  #driver: ChildProcess | null = null;
  #executors: ExecutorProcesses | null = null;
  #port: number;
  #splits: readonly InputSplit[] | null = null;
  #isStopping = false;

  constructor(options: WordCountOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
    this.#port = options.port;
    // Nobody may be waiting yet, or any more, when they fail.
    this.#done.promise.catch(() => {});
    this.#ready.promise.catch(() => {});
  }

  start(): Promise<void> {
    this.#startDriver();
    return this.#ready.promise;
  }

  run(splits: readonly InputSplit[]): Promise<JobReport> {
    this.#splits = splits;
    this.#tell({ kind: "run", splits });
    return this.#done.promise;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#executors?.stop();
    if (this.#driver !== null) await stopProcess(this.#driver);
  }

  #startDriver(): void {
    const script = join(import.meta.dirname, "driver-process.ts");
    const driver = fork(script, { execArgv: process.execArgv, serialization: "advanced" });
    this.#driver = driver;
    driver.on("message", (message) => this.#obey(message as FromDriver));
    driver.on("error", (error) => this.#fail(error));
    driver.on("exit", (code, signal) => this.#driverEnded(signal ?? `exit code ${code ?? 0}`));
    const options = { ...this.#options, port: this.#port };
    const masterStateDir = join(this.#directory, "master-state");
    this.#tell({ kind: "start", options, directory: this.#directory, masterStateDir });
  }

  #obey(message: FromDriver): void {
    switch (message.kind) {
      case "listening":
        this.#port = parseRpcAddress(message.address).port;
        this.#executors ??= this.#startExecutors(message.address);
        return;
      case "ready":
        this.cast ||= message.cast;
        this.#ready.resolve();
        if (this.#splits !== null) this.#tell({ kind: "run", splits: this.#splits });
        return;
      case "midShuffle":
        if (this.driverRestarts > 0) return;
        this.driverRestarts += 1;
        note(`killing the driver (pid ${this.#driver?.pid ?? 0})`);
        this.#driver?.kill("SIGKILL");
        return;
      case "done":
        this.#done.resolve(message.report);
        return;
      case "failed":
        this.#fail(message.error);
    }
  }

  #startExecutors(driver: string): ExecutorProcesses {
    const executors = new ExecutorProcesses({
      driver,
      directory: this.#directory,
      onLost: (executorId, how) => this.#tell({ kind: "executorLost", executorId, how }),
    });
    executors.start(executorIds(this.#options.executors));
    return executors;
  }

  #driverEnded(how: string): void {
    if (this.#isStopping) return;
    if (how !== "SIGKILL" || this.driverRestarts === 0) {
      this.#fail(new Error(`the driver ended: ${how}`));
      return;
    }
    note("starting the driver again");
    this.#startDriver();
  }

  #tell(message: ToDriver): void {
    if (this.#driver?.connected) this.#driver.send(message);
  }

  #fail(error: Error): void {
    this.#ready.reject(error);
    this.#done.reject(error);
  }
}
