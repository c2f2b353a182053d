import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const SCRIPT = join(import.meta.dirname, "..", "transfer", "block-server-process.ts");

/** A block server in a process of its own, to be killed, paused and started again on its port. */
export class ServerProcess {
  #child: ChildProcess | null = null;
  port = 0;

  /** Starts it, on the port that it had before. */
  async start(): Promise<this> {
    const child = spawn(process.execPath, ["--conditions=@bm/source", SCRIPT, String(this.port)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    this.port = Number(line.toString());
    return this;
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }
}
