import type { Connect } from "../load/link.ts";

/** Where a half listens or connects. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** A server that listens. */
export interface BenchServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Both halves of a contender that runs on Node. */
export interface NodeContender {
  /** @param file holds the file region. */
  listen(place: Place, file: string): Promise<BenchServer>;
  connectTo(place: Place): Connect;
}
