/** The ends of pairings: each is a process with a server side and a client side. */
import { join } from "node:path";
import { startJvmPeer } from "../jvm-peer.ts";
import { type PeerAnswer, type PeerFields, PeerProcess } from "../peer-process.ts";
import type { Outcomes, PeerRequest } from "./contract.ts";

/** Whose transport a process runs. */
export type Side = "ours" | "theirs";

const MAIN: string = join(import.meta.dirname, "transport-peer-process.ts");

/** Starts a process that serves the regions; `file` holds the file region. */
export async function startPeer(side: Side, file: string): Promise<PeerProcess> {
  if (side === "theirs") return (await startJvmPeer("TransportPeer", { file }))[0];
  const args = ["--conditions=@bm/source", MAIN];
  return (await PeerProcess.start({ command: process.execPath, args, first: { file } }))[0];
}

/** Settings of one end. */
export interface EndOptions {
  readonly conf?: Readonly<Record<string, string>>;
  readonly closesIdle?: boolean;
}

/** What a server counted. */
export interface ServerReport {
  /** Accepted connections that are up. */
  readonly connections: number;
  /** RPCs that its handler was given. */
  readonly requests: number;
  /** Chunks and streams that it was asked for. */
  readonly lookups: number;
  /** Answers that wait for `release`. */
  readonly held: number;
  readonly oneWayMessages: number;
  readonly uploadedBytes: number;
  readonly uploadsBegun: number;
  readonly uploadsCompleted: number;
  readonly uploadsFailed: number;
}

/** A server in one of the processes. */
export class PairedServer {
  readonly port: number;
  readonly #process: PeerProcess;
  readonly #handle: PeerFields;

  private constructor(peer: PeerProcess, answer: PeerAnswer) {
    this.#process = peer;
    this.#handle = { server: answer["server"] };
    this.port = Number(answer["port"]);
  }

  static async listen(
    peer: PeerProcess,
    options: EndOptions & { readonly isOneForOne?: boolean } = {},
  ): Promise<PairedServer> {
    return new PairedServer(peer, await peer.command("listen", { ...options }));
  }

  async report(): Promise<ServerReport> {
    return (await this.#do("server")) as unknown as ServerReport;
  }

  /** Ends every accepted connection; new ones are still taken. */
  async cut(): Promise<void> {
    await this.#do("cut");
  }

  /** Stops reading from the connections that are up now, or goes on. */
  async read(isReading: boolean): Promise<void> {
    await this.#do("read", { isReading });
  }

  /** Answers what was held, the last one first. */
  async release(): Promise<void> {
    await this.#do("release");
  }

  async close(): Promise<void> {
    await this.#do("unlisten");
  }

  /** Resident bytes of its process. */
  async memoryBytes(): Promise<number> {
    return Number((await this.#do("memory"))["bytes"]);
  }

  #do(op: string, fields: PeerFields = {}): Promise<PeerAnswer> {
    return this.#process.command(op, { ...this.#handle, ...fields });
  }
}

/** What became of a batch. */
export interface BatchReport {
  readonly outcomes: Outcomes;
  /** Of the answers that came. */
  readonly bytes: number;
}

/** A connection that one of the processes opened. */
export class PairedClient {
  readonly #process: PeerProcess;
  readonly #handle: PeerFields;

  private constructor(peer: PeerProcess, answer: PeerAnswer) {
    this.#process = peer;
    this.#handle = { client: answer["client"] };
  }

  static async connect(
    peer: PeerProcess,
    port: number,
    options: EndOptions = {},
  ): Promise<PairedClient> {
    return new PairedClient(peer, await peer.command("connect", { port, ...options }));
  }

  /** Makes the requests and waits until each was told something. */
  async ask(...requests: readonly PeerRequest[]): Promise<BatchReport> {
    return (await this.begin(...requests)).settled();
  }

  /** Makes the requests. */
  async begin(...requests: readonly PeerRequest[]): Promise<PairedBatch> {
    const { batch } = await this.#do("begin", { requests });
    return new PairedBatch(this.#process, { batch });
  }

  /** The id of a stream of `count` chunks of `size` bytes. */
  async open(count: number, size: number): Promise<number> {
    return Number((await this.#do("open", { count, size }))["streamId"]);
  }

  async read(isReading: boolean): Promise<void> {
    await this.#do("read", { isReading });
  }

  async isActive(): Promise<boolean> {
    return (await this.#do("isActive"))["isActive"] === true;
  }

  /** Resident bytes of its process. */
  async memoryBytes(): Promise<number> {
    return Number((await this.#do("memory"))["bytes"]);
  }

  /** Closes now, whatever is outstanding. */
  async close(): Promise<void> {
    await this.#do("disconnect");
  }

  #do(op: string, fields: PeerFields = {}): Promise<PeerAnswer> {
    return this.#process.command(op, { ...this.#handle, ...fields });
  }
}

/** Requests that were made together. */
export class PairedBatch {
  readonly #process: PeerProcess;
  readonly #handle: PeerFields;

  constructor(peer: PeerProcess, handle: PeerFields) {
    this.#process = peer;
    this.#handle = handle;
  }

  /** Resolves when each request was told something. */
  async settled(): Promise<BatchReport> {
    return this.#report(true);
  }

  /** What was told until now. */
  async soFar(): Promise<BatchReport> {
    return this.#report(false);
  }

  async #report(isAwaited: boolean): Promise<BatchReport> {
    const answer = await this.#process.command("outcomes", { ...this.#handle, isAwaited });
    return {
      outcomes: withoutPaths(answer["outcomes"] as Outcomes),
      bytes: Number(answer["bytes"]),
    };
  }
}

/** Texts may name the file of the region, which lies elsewhere in every run. */
function withoutPaths(outcomes: Outcomes): Outcomes {
  const entries = Object.entries(outcomes);
  return Object.fromEntries(
    entries.map(([text, count]) => [text.replace(/\/\S*\/region/, "REGION"), count]),
  );
}
