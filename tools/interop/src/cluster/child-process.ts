/** One process of the cluster: its log on disk, what it says, and a bounded end. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { createInterface } from "node:readline";

const STOP_TIMEOUT_MS = 5000;
const TAIL_LINES = 40;

/** How a process is started. */
export interface ChildOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Everything that it prints to standard error, and to standard output unless `onLine` is given. */
  readonly logFile: string;
  /** Takes the lines of standard output. */
  readonly onLine?: (line: string) => void;
}

/** A line that is waited for. */
interface Waiting {
  readonly pattern: RegExp;
  readonly found: PromiseWithResolvers<RegExpMatchArray>;
}

/** See the file comment. Every wait ends: with the line, with the process, or in time. */
export class Child {
  readonly name: string;
  readonly exited: Promise<void>;
  readonly #process: ChildProcess;
  readonly #log: WriteStream;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<Waiting>();
  #isGone = false;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#log = createWriteStream(options.logFile, { flags: "a" });
    const { args, cwd, env, onLine } = options;
    this.#process = spawn(options.command, args, { cwd, env, stdio: "pipe" });
    const { stdout, stderr } = this.#process;
    if (stdout === null || stderr === null) throw new Error(`${this.name} has no pipes`);
    const keep = (line: string): void => this.#keep(line);
    createInterface({ input: stdout }).on("line", onLine ?? keep);
    createInterface({ input: stderr }).on("line", keep);
    const ending = Promise.withResolvers<void>();
    this.exited = ending.promise;
    this.#process.on("error", (error) => this.#keep(error.message));
    this.#process.on("close", (code, signal) => {
      this.#end(`${this.name} ended with ${code ?? signal}`);
      ending.resolve();
    });
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** The first line, said already or to come, that matches; rejects with the end of the log. */
  async line(pattern: RegExp, timeoutMs: number): Promise<RegExpMatchArray> {
    for (const line of this.#lines) {
      const match = line.match(pattern);
      if (match !== null) return match;
    }
    const waiting: Waiting = { pattern, found: Promise.withResolvers() };
    if (this.#isGone) throw this.#failure(`${this.name} is gone`);
    this.#waiting.add(waiting);
    const late = (): void => waiting.found.reject(this.#failure(`${this.name} is silent`));
    const timer = setTimeout(late, timeoutMs);
    try {
      return await waiting.found.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    }
  }

  /** Writes a line to standard input. */
  say(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  signal(name: NodeJS.Signals): void {
    if (!this.#isGone) this.#process.kill(name);
  }

  /** Asks with SIGTERM, and ends it if it does not follow. Resolves when it is gone. */
  async stop(timeoutMs: number = STOP_TIMEOUT_MS): Promise<void> {
    if (this.#isGone) return;
    this.#process.stdin?.end();
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), timeoutMs);
    await this.exited;
    clearTimeout(timer);
  }

  #keep(line: string): void {
    this.#log.write(`${line}\n`);
    this.#lines.push(line);
    for (const { pattern, found } of this.#waiting) {
      const match = line.match(pattern);
      if (match !== null) found.resolve(match);
    }
  }

  #end(text: string): void {
    this.#isGone = true;
    this.#log.end();
    for (const { found } of this.#waiting) found.reject(this.#failure(text));
  }

  #failure(text: string): Error {
    return new Error(`${text}; it said last:\n${this.#lines.slice(-TAIL_LINES).join("\n")}`);
  }
}
