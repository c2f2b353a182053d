import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";

const SCRIPT = join(import.meta.dirname, "block-server-process.ts");

interface Running {
  readonly child: ChildProcess;
  readonly lines: Interface;
}

/** A block server in a process of its own, to be killed, paused and started again on its port. */
export class ServerProcess {
  #running: Running | null = null;
  #stallMs = 0;
  /** 0 before the first start; another one than before only when that was taken meanwhile. */
  port = 0;

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Starts it, on the port that it had before. */
  async start(): Promise<this> {
    const child = spawn(process.execPath, [...process.execArgv, SCRIPT, String(this.port)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    // Killed in the middle of a question.
    child.stdin.on("error", () => {});
    const lines = createInterface(child.stdout);
    this.#running = { child, lines };
    this.port = Number(await nextLine(this.#running));
    return this;
  }

  /** Blocks that the server has looked up and not released. */
  async heldBlocks(): Promise<number> {
    return this.#command("held");
  }

  /** From now on a block takes so many times as long as from a disk; 0 for no time, as at the start. */
  async slow(factor: number): Promise<void> {
    await this.#command(`slow ${factor}`);
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    if (running === null) return;
    const gone = once(running.child, "exit");
    running.child.kill("SIGKILL");
    await gone;
  }

  pause(): void {
    this.#running?.child.kill("SIGSTOP");
  }

  resume(): void {
    this.#running?.child.kill("SIGCONT");
  }

  /** For how long the machine held the process up since the last question, as far as it could say. */
  takeStallMs(): number {
    const stallMs = this.#stallMs;
    this.#stallMs = 0;
    return stallMs;
  }

  async #command(line: string): Promise<number> {
    if (this.#running === null) return 0;
    const answer = nextLine(this.#running);
    this.#running.child.stdin?.write(`${line}\n`);
    const [held = 0, stallMs = 0] = (await answer).split(" ").map(Number);
    this.#stallMs = Math.max(this.#stallMs, stallMs);
    return held;
  }
}

async function nextLine({ child, lines }: Running): Promise<string> {
  const given = new AbortController();
  const { signal } = given;
  const gone = once(child, "exit", { signal }).then(() => {
    throw new Error("the block server ended");
  });
  gone.catch(() => {});
  try {
    const [line] = (await Promise.race([once(lines, "line", { signal }), gone])) as [string];
    return line;
  } finally {
    given.abort();
  }
}
