/** What the rounds of a suite say: medians of each contender, and ratios of ours to each peer. */
import type { SuiteResult } from "../contest/contest.ts";
import { CONTENDERS, type ContenderName, type Suite } from "../suites/suite.ts";
import type { Outcome } from "../suites/workload.ts";
import { median, ratioOf, type Spread } from "./statistics.ts";

/** Medians over the rounds of one contender. CPU is microseconds for one operation. */
export interface Summary {
  readonly perSecond: number;
  readonly bytesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly clientCpuUs: number;
  readonly serverCpuUs: number;
  readonly clientPeakBytes: number;
  readonly serverPeakBytes: number;
  readonly clientBytesPerUnit: number;
  readonly serverBytesPerUnit: number;
  readonly keptShare: number;
}

/** Ours divided by the peer's. More is better for speed, less for the others. */
export interface Ratios {
  readonly speed: Spread;
  readonly p50: Spread;
  /** Both processes together, for one operation. */
  readonly cpu: Spread;
  /** Resident memory of the server for one unit. */
  readonly memory: Spread;
}

/** One suite, ready to be shown. */
export interface Comparison {
  readonly suite: Suite;
  readonly rows: readonly ComparisonRow[];
}

/** One contender of a suite; `ratios` is null for ours. */
export interface ComparisonRow {
  readonly name: ContenderName;
  readonly summary: Summary;
  readonly ratios: Ratios | null;
  readonly rounds: readonly Outcome[];
}

/** See the file comment. */
export function compare({ suite, outcomes }: SuiteResult): Comparison {
  const ours = outcomes.ours ?? [];
  const rows = CONTENDERS.flatMap((name) => {
    const rounds = outcomes[name];
    if (rounds === undefined) return [];
    const ratios = name === "ours" ? null : ratiosOf(ours, rounds);
    return [{ name, summary: summarise(rounds), ratios, rounds }];
  });
  return { suite, rows };
}

function summarise(rounds: readonly Outcome[]): Summary {
  const middle = (value: (outcome: Outcome) => number): number => median(rounds.map(value));
  return {
    perSecond: middle(perSecond),
    bytesPerSecond: middle(({ bytes, seconds }) => bytes / seconds),
    p50Us: middle(({ p50Us }) => p50Us),
    p99Us: middle(({ p99Us }) => p99Us),
    clientCpuUs: middle((outcome) => (outcome.clientCpuSeconds / outcome.operations) * 1e6),
    serverCpuUs: middle((outcome) => (outcome.serverCpuSeconds / outcome.operations) * 1e6),
    clientPeakBytes: Math.max(...rounds.map((outcome) => outcome.clientPeakBytes)),
    serverPeakBytes: Math.max(...rounds.map((outcome) => outcome.serverPeakBytes)),
    clientBytesPerUnit: middle((outcome) => outcome.clientBytesPerUnit),
    serverBytesPerUnit: middle((outcome) => outcome.serverBytesPerUnit),
    keptShare: middle(({ keptShare }) => keptShare),
  };
}

function ratiosOf(ours: readonly Outcome[], peers: readonly Outcome[]): Ratios {
  const ratio = (value: (outcome: Outcome) => number): Spread =>
    ratioOf(ours.map(value), peers.map(value));
  return {
    speed: ratio(perSecond),
    p50: ratio(({ p50Us }) => p50Us),
    cpu: ratio((outcome) => cpuSeconds(outcome) / outcome.operations),
    memory: ratio((outcome) => outcome.serverBytesPerUnit),
  };
}

function perSecond({ operations, seconds }: Outcome): number {
  return operations / seconds;
}

function cpuSeconds({ clientCpuSeconds, serverCpuSeconds }: Outcome): number {
  return clientCpuSeconds + serverCpuSeconds;
}
