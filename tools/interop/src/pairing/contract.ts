/** What the two ends of a pairing can be asked for. The Java peer knows the same words and numbers. */
import type { RegionKind } from "../region.ts";

/** The int32 at the start of an RPC; from 0 on it is the length of the answer that is wanted. */
export const RpcCommand = {
  fail: -2,
  echo: -3,
  /** Never answered. */
  silence: -4,
  /** The server closes the connection instead of answering. */
  hangUp: -5,
  /** Answered with one byte, and again with two. */
  twice: -6,
  /** An int32 follows: the length of an answer in memory of its own. */
  fresh: -7,
  /** The server answers, and reads no more from this connection. */
  stopReading: -8,
  /** An int32 follows: the length of an answer that goes out with the command `release`. */
  hold: -9,
  /** Two int32 follow: number and size of chunks to register; the answer is the stream's id. */
  open: -10,
} as const;

/** Reduce ids of a merged-meta request with a meaning of their own. */
export const MetaCommand = { default: -1, fail: -2, throw: -3 } as const;

export type BodyKind = keyof typeof RegionKind;

/**
 * One request, or `times` alike. Chunks and streams count up from `first`, and sizes by `step`; every
 * byte that comes back is compared with the region.
 */
export type PeerRequest = {
  readonly times?: number;
  readonly size?: number;
  readonly step?: number;
} & (
  | { readonly op: "rpc"; readonly command?: "reply" | keyof typeof RpcCommand }
  | { readonly op: "oneWay" }
  | {
      readonly op: "chunk";
      readonly kind?: BodyKind;
      readonly first?: number;
      readonly streamId?: number;
      /** All of them ask for the first chunk. */
      readonly isSame?: boolean;
    }
  | {
      readonly op: "stream";
      readonly kind?: BodyKind;
      readonly first?: number;
      readonly name?: string;
    }
  | { readonly op: "upload"; readonly kind?: BodyKind; readonly meta?: string }
  | { readonly op: "meta"; readonly appId?: string; readonly reduceId: number }
);

/** How many requests ended in which way: see outcome.ts. */
export type Outcomes = Readonly<Record<string, number>>;
