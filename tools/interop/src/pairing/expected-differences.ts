/**
 * Where an end does not do what the cases say, which is what Spark's two ends of the reference
 * release do. Each row is a decision of ours, or a change between releases of Spark; a run fails when
 * a row's difference is not there any more.
 */
import type { Side } from "./peers.ts";

/** See the file comment. A side that is not given may be either. */
export interface ExpectedDifference {
  readonly cases: RegExp;
  readonly client?: Side;
  readonly server?: Side;
  /** Of Spark; all of them when it is not given. */
  readonly versions?: RegExp;
  readonly observed: unknown;
  readonly why: string;
}

/**
 * Spark may tell a callback twice that its connection is gone, depending on timing: once for the
 * write that failed or the stream that broke off, and once for the end. Ours must tell it once.
 */
export const TOLD_TWICE = { repeated: "connection,connection", once: "connection" } as const;

export const EXPECTED_DIFFERENCES: readonly ExpectedDifference[] = [
  {
    cases: /^a (chunk|stream) of a missing body$/,
    server: "ours",
    observed: { outcomes: { "remote REGION-missing": 1 }, isActive: true },
    why: "we open a file before we say that we have it, so a missing one is a failure message",
  },
  {
    cases: /^a (chunk|stream) of a short body$/,
    server: "ours",
    observed: {
      outcomes: {
        "remote REGION has 268435456 bytes, too few for 300000 bytes at 268285456": 1,
      },
      isActive: true,
    },
    why: "we measure a file before we say that we have it, so a short one is a failure message",
  },
  {
    cases: /^a chunk of a short file that is opened at once$/,
    server: "ours",
    observed: { ends: ["remote"], isActive: true },
    why: "we measure every file, whenever Spark would open it",
  },
  {
    cases: /^stream names that are no chunks$/,
    server: "ours",
    observed: {
      'remote java.lang.NumberFormatException: For input string: "abc"': 1,
      'remote java.lang.NumberFormatException: For input string: "1"': 1,
      'remote java.lang.NumberFormatException: For input string: "1_"': 1,
    },
    why: "a name without a chunk is malformed; Spark reaches behind the end of an array",
  },
  {
    cases: /^a default merged-meta handler$/,
    server: "ours",
    observed: {
      "remote java.lang.UnsupportedOperationException: merged blocks are not served here": 1,
    },
    why: "our default handler refuses; Spark's is silent, and the requester waits for its time-out",
  },
  {
    cases: /^a server that closes idle connections owes an answer$/,
    server: "ours",
    observed: { ok: 1 },
    why: "a connection on which we owe an answer is not idle for us",
  },
  {
    cases: /^a (chunk|stream) comes over a slow link for longer than the time-out$/,
    client: "ours",
    observed: { ok: 1 },
    why: "we count bytes as life, Spark counts whole messages",
  },
  {
    cases: /^the client stops reading answers that are made in memory, and goes on$/,
    server: "ours",
    observed: { isBounded: true, outcomes: { ok: 192 }, bytes: 192 * 1024 * 1024 },
    why: "we read no further requests while answers are not taken; Spark queues every answer",
  },
  {
    cases: /^the same chunk asked for twice at once$/,
    client: "ours",
    observed: { "local OPTION_INVALID": 1, ok: 1 },
    why: "we refuse to ask twice for what the wire cannot tell apart; Spark forgets the first asker",
  },
];
