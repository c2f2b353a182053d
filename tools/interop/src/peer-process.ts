/** A process that is driven by JSON lines: a line in is a command, a line out its answer. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

const STOP_TIMEOUT_MS = 5000;
const ERROR_CHARS_MAX = 4000;

/** What a command takes. */
export type PeerFields = Readonly<Record<string, unknown>>;

/** What it gives back. */
export type PeerAnswer = Readonly<
  Record<
    string,
    string | number | boolean | readonly string[] | Readonly<Record<string, string | number>>
  >
>;

/** How the process is started, and what its first line of input says. */
export interface PeerProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly first: PeerFields;
}

/** See the file comment. Any number of commands may run at once. */
export class PeerProcess {
  readonly #process: ChildProcess;
  readonly #answers = new Map<number, PromiseWithResolvers<PeerAnswer>>();
  readonly #first: PromiseWithResolvers<PeerAnswer> = Promise.withResolvers();
  #nextId = 1;
  #errors = "";

  private constructor(child: ChildProcess) {
    this.#process = child;
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error("the peer has no pipes");
    createInterface({ input: stdout }).on("line", (line) => this.#take(line));
    stderr.on("data", (text: Buffer) => {
      this.#errors = (this.#errors + text.toString()).slice(-ERROR_CHARS_MAX);
    });
    child.on("exit", (code) => this.#fail(`the peer ended with ${code}: ${this.#errors}`));
    child.on("error", (error) => this.#fail(error.message));
  }

  /** Resolves with the process and the first line that it says. */
  static async start(program: PeerProgram): Promise<[PeerProcess, PeerAnswer]> {
    const peer = new PeerProcess(spawn(program.command, program.args, { stdio: "pipe" }));
    peer.#say(program.first);
    return [peer, await peer.#first.promise];
  }

  /** Runs one command; rejects with the text of its failure. */
  command(op: string, fields: PeerFields = {}): Promise<PeerAnswer> {
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = Promise.withResolvers<PeerAnswer>();
    this.#answers.set(id, answer);
    this.#say({ id, op, ...fields });
    return answer.promise;
  }

  /** Ends the process; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.stdin?.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  #say(line: object): void {
    this.#process.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  #take(text: string): void {
    // Logging frameworks write to standard output too.
    if (!text.startsWith("{")) return;
    const line = JSON.parse(text) as PeerAnswer & { readonly error?: string };
    if (!("id" in line)) this.#first.resolve(line);
    const id = Number(line["id"]);
    const waiting = this.#answers.get(id);
    this.#answers.delete(id);
    if (line.error !== undefined) waiting?.reject(new Error(line.error));
    else waiting?.resolve(line);
  }

  #fail(text: string): void {
    const error = new Error(text);
    this.#first.promise.catch(() => {});
    this.#first.reject(error);
    for (const waiting of this.#answers.values()) waiting.reject(error);
    this.#answers.clear();
  }
}
