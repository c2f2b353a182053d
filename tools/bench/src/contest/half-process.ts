import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { HalfCommand } from "../halves/half-command.ts";

/** For closing connections and, when it is profiled, for writing the profile. */
const STOP_GRACE_MS = 10_000;
const ERRORS_KEPT = 4000;

/** A half that was started: lines of JSON in, lines of JSON out, ended by the end of its input. */
export class HalfProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #waiting: PromiseWithResolvers<unknown> | null = null;
  #errors = "";
  #isOver = false;
  pid = 0;

  private constructor(child: ChildProcess) {
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error("a half has no pipes");
    this.#child = child;
    createInterface({ input: stdout }).on("line", (line) => this.#take(line));
    stderr.on("data", (text: Buffer) => this.#keepErrors(text.toString()));
    child.stdin?.on("error", () => {});
    this.#exited = new Promise((resolve) => {
      child.once("error", (error) => this.#end(error.message, resolve));
      child.once("exit", (code) => this.#end(`ended with ${code}`, resolve));
    });
  }

  /** Resolves with the process and its first line. */
  static async start<Line extends { readonly pid: number }>(
    command: HalfCommand,
  ): Promise<readonly [HalfProcess, Line]> {
    const half = new HalfProcess(spawn(command.program, command.args, { stdio: "pipe" }));
    const line = (await half.#next()) as Line;
    half.pid = line.pid;
    return [half, line];
  }

  /** Sends a line and gives the answer; one at a time. Rejects when the answer is an error. */
  async ask<Answer>(line: object): Promise<Answer> {
    const answer = this.#next();
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
    const given = (await answer) as Answer & { readonly error?: string };
    if (given.error !== undefined) throw new Error(given.error);
    return given;
  }

  /** Resolves when the process is gone. Safe to call twice. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_GRACE_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #next(): Promise<unknown> {
    this.#waiting = Promise.withResolvers();
    if (this.#isOver) this.#waiting.reject(new Error(`the process is gone: ${this.#errors}`));
    return this.#waiting.promise;
  }

  #take(line: string): void {
    // Logging frameworks may write to standard output too.
    if (line.startsWith("{")) this.#waiting?.resolve(JSON.parse(line));
  }

  #keepErrors(text: string): void {
    this.#errors = (this.#errors + text).slice(-ERRORS_KEPT);
  }

  #end(reason: string, resolve: () => void): void {
    this.#isOver = true;
    this.#waiting?.reject(new Error(`a half ${reason}: ${this.#errors}`));
    resolve();
  }
}
