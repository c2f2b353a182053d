/** What a load client is told to do, as lines of JSON, and what it answers. */
import type { ShuffleOutputs } from "../shuffle-outputs.ts";

/** Fetches blocks until time is up, stream after stream, every chunk of a stream asked for at once. */
export interface FetchJob {
  readonly kind: "fetch";
  readonly port: number;
  readonly outputs: ShuffleOutputs;
  /** One partition of every map, as a reducer asks; or every partition of one map. */
  readonly shape: "by-reducer" | "by-map";
  /** Streams that are fetched at the same time. */
  readonly streams: number;
  /** Clients that share a shuffle begin at streams of their own. */
  readonly firstStream: number;
  readonly seconds: number;
}

/** Registers executors that nobody has registered before, until time or count is up. */
export interface RegisterJob {
  readonly kind: "register";
  readonly port: number;
  readonly localDir: string;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly window: number;
  /** What the ids begin with. */
  readonly prefix: string;
  readonly seconds: number;
  readonly countMax: number;
}

/** Asks for the cause of a corruption that the reader must have made itself. */
export interface DiagnoseJob {
  readonly kind: "diagnose";
  readonly port: number;
  readonly outputs: ShuffleOutputs;
  readonly window: number;
  readonly seconds: number;
}

/** Opens blocks and fetches none; the connection stays open until the next job. */
export interface OpenJob {
  readonly kind: "open";
  readonly port: number;
  readonly outputs: ShuffleOutputs;
  readonly mapsPerStream: number;
  readonly partitionsPerStream: number;
  readonly streams: number;
}

/** Ends the connection of an {@link OpenJob}. */
export interface ForgetJob {
  readonly kind: "forget";
}

/** Asks where an executor writes; succeeds when it is known. */
export interface AskJob {
  readonly kind: "ask";
  readonly port: number;
  readonly executorId: string;
}

/** One line in. */
export type ClientJob = FetchJob | RegisterJob | DiagnoseJob | OpenJob | ForgetJob | AskJob;

/** One line out. CPU is that of the client. */
export interface JobOutcome {
  readonly operations: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}
