import { clientCommand, type HalfKind, serverCommand } from "../halves/half-command.ts";
import { forgetPeak } from "../load/resident-memory.ts";
import type { Outcome, Workload } from "../suites/workload.ts";
import { HalfProcess } from "./half-process.ts";

const HOST = "127.0.0.1";

/** The two processes of one contender, a server and a client that knows it. */
export class ContenderPair {
  readonly #server: HalfProcess;
  readonly #client: HalfProcess;

  private constructor(server: HalfProcess, client: HalfProcess) {
    this.#server = server;
    this.#client = client;
  }

  static async start(kind: HalfKind, directory: string): Promise<ContenderPair> {
    const command = await serverCommand(kind, { host: HOST, port: 0 }, directory);
    const untilInputEnds = { ...command, args: [...command.args, "--until-input-ends"] };
    const [server, { port }] = await HalfProcess.start<{ pid: number; port: number }>(
      untilInputEnds,
    );
    try {
      const place = { host: HOST, port };
      const [client] = await HalfProcess.start(await clientCommand(kind, place));
      return new ContenderPair(server, client);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Peaks of memory from now on are those of what comes next. */
  forgetPeaks(): void {
    forgetPeak(this.#server.pid);
    forgetPeak(this.#client.pid);
  }

  perform(workload: Omit<Workload, "serverPid">): Promise<Outcome> {
    return this.#client.ask({ ...workload, serverPid: this.#server.pid });
  }

  /** The client first, so that no connection is cut. Safe to call twice. */
  async stop(): Promise<void> {
    await this.#client.stop();
    await this.#server.stop();
  }
}
