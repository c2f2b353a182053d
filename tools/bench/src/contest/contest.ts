/**
 * Lets the contenders of each suite take turns: A, B, A, B. What disturbs the machine for a while so
 * disturbs all of them, and a ratio is formed from neighbours in time only.
 *
 * Processes live on from suite to suite, because code that is compiled while it runs takes seconds to
 * become fast; memory suites have processes of their own.
 */
import type { ContenderName, Service, Suite, SuiteLoad } from "../suites/suite.ts";
import type { Outcome } from "../suites/workload.ts";
import { ContenderPair } from "./contender-pair.ts";

/** They vary little, and starting the processes takes the most time. */
const MEMORY_ROUNDS_MAX = 3;
/** A contender is warm when a slice of warming up was not faster than the one before by this much. */
const STILL_WARMING = 1.05;
const WARM_UP_SLICES = { least: 3, most: 6 } as const;
/** What a new process begins with: many small messages, so that a compiler sees the code often. */
const FIRST_LOAD: SuiteLoad = {
  kind: "rpc",
  connections: 1,
  window: 64,
  pacing: "rolling",
  requestBytes: 1024,
  replyBytes: 1024,
  region: "memory",
  chunkBytes: [],
  chunksPerStream: 1,
  operationsMin: 1,
  operationsMax: Number.MAX_SAFE_INTEGER,
};

/** How long and how often. */
export interface Pace {
  readonly rounds: number;
  readonly roundSeconds: number;
  /** For which each process is warmed up after its start, whatever comes next. */
  readonly firstWarmUpSeconds: number;
  /** One slice of warming up for a suite; there are as many as it takes, within limits. */
  readonly warmUpSeconds: number;
  /** Smaller suites. */
  readonly isQuick: boolean;
}

/** The rounds of one suite by contender; every list is as long as there were rounds. */
export interface SuiteResult {
  readonly suite: Suite;
  readonly outcomes: Partial<Record<ContenderName, readonly Outcome[]>>;
}

/** See the file comment. */
export class Contest {
  readonly #pace: Pace;
  readonly #directory: string;
  readonly #peers: readonly ContenderName[];
  /** By service and name. */
  readonly #living = new Map<string, ContenderPair>();

  /** @param directory holds the file region. */
  constructor(pace: Pace, directory: string, peers: readonly ContenderName[]) {
    this.#pace = pace;
    this.#directory = directory;
    this.#peers = ["ours", ...peers];
  }

  /**
   * Runs all rounds; when time is short, one round of ours and the first peer. Rejects when a half
   * fails: a benchmark with a wrong answer has no result.
   */
  async run(suite: Suite, isTimeShort = false): Promise<SuiteResult> {
    const counterparts = this.#peers.filter((name) => suite.contenders.includes(name));
    const names = isTimeShort ? counterparts.slice(0, 2) : counterparts;
    const outcomes: Partial<Record<ContenderName, Outcome[]>> = {};
    if (suite.measure === "memory") await this.close();
    for (const name of names) {
      outcomes[name] = [];
      if (suite.measure !== "memory") await this.#warmUp(name, suite, isTimeShort);
    }
    for (let round = 0; round < this.#roundsOf(suite, isTimeShort); round += 1) {
      if (suite.measure === "memory" && round > 0) await this.close();
      for (const name of names) {
        const pair = await this.#pairOf(name, suite.service);
        outcomes[name]?.push(await pair.perform(this.#workload(suite, false)));
      }
    }
    return { suite, outcomes };
  }

  /** Ends every process that was started. Safe to call twice. */
  async close(): Promise<void> {
    const pairs = [...this.#living.values()];
    this.#living.clear();
    await Promise.all(pairs.map((pair) => pair.stop()));
  }

  async #pairOf(name: ContenderName, service: Service): Promise<ContenderPair> {
    const key = `${service} ${name}`;
    const living = this.#living.get(key);
    if (living !== undefined) return living;
    const pair = await ContenderPair.start({ name, service }, this.#directory);
    this.#living.set(key, pair);
    return pair;
  }

  async #warmUp(name: ContenderName, suite: Suite, isTimeShort: boolean): Promise<void> {
    const { least, most } = WARM_UP_SLICES;
    const isNew = !this.#living.has(`${suite.service} ${name}`);
    const pair = await this.#pairOf(name, suite.service);
    if (isNew) {
      const seconds = this.#pace.firstWarmUpSeconds;
      await pair.perform({ ...FIRST_LOAD, isWarmUp: true, seconds });
    }
    const slices = isTimeShort ? 1 : most;
    let best = 0;
    for (let slice = 1; slice <= slices; slice += 1) {
      const { operations, seconds } = await pair.perform(this.#workload(suite, true));
      const rate = operations / seconds;
      if (slice >= least && rate < best * STILL_WARMING) break;
      best = Math.max(best, rate);
    }
    pair.forgetPeaks();
  }

  /** Memory that a process took is not given back at once, so each round has processes of its own. */
  #roundsOf(suite: Suite, isTimeShort: boolean): number {
    if (isTimeShort) return 1;
    if (suite.measure !== "memory") return this.#pace.rounds;
    return this.#pace.isQuick ? 1 : Math.min(this.#pace.rounds, MEMORY_ROUNDS_MAX);
  }

  #workload(suite: Suite, isWarmUp: boolean): Parameters<ContenderPair["perform"]>[0] {
    const { isQuick, roundSeconds, warmUpSeconds } = this.#pace;
    const load = isQuick ? { ...suite.load, ...suite.quick } : suite.load;
    if (!isWarmUp) return { ...load, isWarmUp, seconds: roundSeconds };
    return { ...load, isWarmUp, seconds: warmUpSeconds, operationsMin: 1 };
  }
}
