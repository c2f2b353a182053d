/** A client and a service of either side, and applications that meet there. */
import { mkdirSync, mkdtempSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { Relay, type RelayOptions } from "../pairing/relay.ts";
import type { PeerAnswer, PeerProcess } from "../peer-process.ts";
import { phraseOf } from "./phrases.ts";
import { layOut } from "./recorded-outputs.ts";
import type { ShuffleCommand } from "./shuffle-command.ts";

const MANAGER = "org.apache.spark.shuffle.sort.SortShuffleManager";
const MERGE_DIR = "merge_manager";
const SUB_DIRS = 64;

/** Executor id under which merged partitions are asked for. */
export const MERGER = "shuffle-push-merger";

type Fields = Omit<ShuffleCommand, "op" | "port">;

let applications = 0;

/** See the file comment. */
export class ServiceMeeting implements AsyncDisposable {
  readonly #process: PeerProcess;
  readonly #port: number;
  readonly #root: string;
  readonly #ends: (() => unknown)[] = [];

  /**
   * `process` has the clients; `port` is that of the service; `root` is where applications keep
   * their files.
   */
  constructor(process: PeerProcess, port: number, root: string) {
    this.#process = process;
    this.#port = port;
    this.#root = root;
  }

  /** An application that nobody knows, with one executor's directories. */
  application(): Application {
    applications += 1;
    const appId = `application_1_${String(applications).padStart(4, "0")}`;
    const root = realpathSync(mkdtempSync(join(this.#root, `${appId}-`)));
    return new Application(appId, root, (op, fields) =>
      this.#process.command(op, { port: this.#port, appId, ...fields }),
    );
  }

  /** The port of a link to the service. */
  async relay(options: Omit<RelayOptions, "port">): Promise<number> {
    const relay = await Relay.listen({ port: this.#port, ...options });
    this.#ends.push(() => relay.close());
    return relay.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) await end();
  }
}

/** One block that was asked for: right, or not, or why not. */
export type BlockReport = Readonly<Record<string, string>>;

/** See {@link ServiceMeeting.application}. Commands give what they tell, or the phrase of a failure. */
export class Application {
  readonly appId: string;
  readonly root: string;
  readonly localDirs: readonly string[];
  readonly #command: (op: string, fields: object) => Promise<PeerAnswer>;

  constructor(
    appId: string,
    root: string,
    command: (op: string, fields: object) => Promise<PeerAnswer>,
  ) {
    this.appId = appId;
    this.root = root;
    this.localDirs = ["a", "b"].map((name) => join(root, name, "blockmgr"));
    this.#command = command;
    for (const dir of this.localDirs) mkdirSync(dir, { recursive: true });
  }

  /** Registers executor 1 with the map outputs of a recorded set. */
  async registerWith(set: string): Promise<void> {
    layOut(set, this.localDirs);
    await this.ask("register", { exec: "1", localDirs: this.localDirs, manager: MANAGER });
  }

  /** Registers executor 1 with directories to merge into; attempts have a directory each. */
  async registerMerging(attemptId?: number): Promise<string> {
    const mergeDir = attemptId === undefined ? MERGE_DIR : `${MERGE_DIR}_${attemptId}`;
    for (const dir of this.localDirs) {
      for (let sub = 0; sub < SUB_DIRS; sub += 1) {
        const name = sub.toString(16).padStart(2, "0");
        mkdirSync(join(dir, "..", mergeDir, name), { recursive: true });
      }
    }
    const ids = attemptId === undefined ? {} : { attemptId: String(attemptId) };
    // Spark's executors close the object with two braces too many.
    const manager = `${MANAGER}:${JSON.stringify({ mergeDir, ...ids })}}}`;
    await this.ask("register", { exec: "1", localDirs: this.localDirs, manager, ...ids });
    return mergeDir;
  }

  /** The answer's field of this name, or the phrase of the failure. */
  async ask(
    op: ShuffleCommand["op"],
    fields: Fields & { readonly port?: number },
    field = "",
  ): Promise<unknown> {
    try {
      const answer = await this.#command(op, fields);
      return field === "" ? "done" : answer[field];
    } catch (error) {
      return phraseOf(error as Error);
    }
  }

  /** Fetches, and compares what came. */
  async fetch(
    expected: ReadonlyMap<string, Buffer>,
    fields: Fields & { readonly port?: number } = {},
  ): Promise<BlockReport> {
    const command = { exec: "1", blocks: [...expected.keys()], ...fields };
    return this.#reported("fetch", command, (name) => expected.get(name)?.toString("base64"));
  }

  /** Pushes one block, filled with its map index. */
  async push(
    name: string,
    bytes: number,
    fields: Fields & { readonly port?: number } = {},
  ): Promise<string> {
    const contents = [pushedContent(name, bytes).toString("base64")];
    const report = await this.#reported("push", { blocks: [name], contents, ...fields }, () => "");
    return report[name] === "right" ? "pushed" : (report[name] ?? "nothing");
  }

  async #reported(
    op: "fetch" | "push",
    fields: object,
    right: (name: string) => string | undefined,
  ): Promise<BlockReport> {
    const { blocks } = await this.#command(op, fields);
    const entries = Object.entries(blocks as BlockReport).map(([name, outcome]) => {
      if (outcome.startsWith("!")) return [name, phraseOf(new Error(outcome))];
      return [name, outcome === right(name) ? "right" : "wrong"];
    });
    return Object.fromEntries(entries) as BlockReport;
  }
}

/** What {@link Application.push} pushes: bytes that tell the map. */
export function pushedContent(name: string, bytes: number): Buffer {
  return Buffer.alloc(bytes, Number(name.split("_")[3]) + 1);
}
