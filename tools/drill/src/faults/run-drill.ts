/** Many schedules, a few at a time. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServerProcess } from "../server/server-process.ts";
import { StallWatch } from "../server/stall-watch.ts";
import { FaultyProxy } from "./faulty-proxy.ts";
import { LeakCheck } from "./leak-check.ts";
import { type Lane, type Outcome, runSchedule } from "./run-schedule.ts";
import { scheduleOf } from "./schedule.ts";

/** How many, from where, and who is told. */
export interface DrillOptions {
  readonly schedules: number;
  /** Of the first schedule; the others follow. */
  readonly seed: number;
  /** Schedules at a time, each with a server process, a proxy and readers of its own. */
  readonly lanes: number;
  readonly onOutcome?: (outcome: Outcome) => void;
}

/** What is wrong, for people: each begins with the seed that repeats it. */
export type DrillFaults = readonly string[];

/** How long a server may take to notice that its connections are gone. */
const RELEASE_MS = 20_000;
const POLL_MS = 20;
/** A fifth of the shortest time-out. */
const STALL_MS = 200;
const ATTEMPTS_MAX = 20;

/** Runs the schedules; gives what was wrong. */
export async function runDrill(options: DrillOptions): Promise<DrillFaults> {
  const { lanes, onOutcome, schedules, seed } = options;
  const seeds = Array.from({ length: schedules }, (_, index) => seed + index);
  const faults: string[] = [];
  const leaks = new LeakCheck();
  const drillLane = async (): Promise<void> => {
    const lane = await openLane();
    for (let next = seeds.shift(); next !== undefined; next = seeds.shift()) {
      const outcome = await runUndisturbed(next, lane);
      const { schedule } = outcome;
      faults.push(...outcome.faults.map((text) => `seed ${next} (${schedule.kind}): ${text}`));
      onOutcome?.(outcome);
    }
    await closeLane(lane);
  };
  await Promise.all(Array.from({ length: lanes }, drillLane));
  if (leaks.held > 0) {
    faults.push(`${leaks.held} buffers were not released, kept by\n${leaks.stacks.join("\n")}`);
  }
  leaks.stop();
  return faults;
}

/**
 * Time-outs are part of what is drilled. So a schedule that did not hold while the machine held a process
 * up for long is run again, until it holds or nothing disturbed it.
 */
async function runUndisturbed(seed: number, lane: Lane): Promise<Outcome> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await runSchedule(scheduleOf(seed), lane);
    const faults = [...outcome.faults, ...(await leftBehind(lane))];
    const stallMs = Math.max(lane.stalls.take(), lane.server.takeStallMs());
    const isJudged = faults.length === 0 || stallMs < STALL_MS || attempt === ATTEMPTS_MAX;
    if (isJudged) return { ...outcome, faults, attempts: attempt };
  }
}

async function openLane(): Promise<Lane> {
  const server = await new ServerProcess().start();
  const proxy = await FaultyProxy.start(() => server.port);
  const directory = await mkdtemp(join(tmpdir(), "drill-"));
  return { server, proxy, directory, stalls: new StallWatch() };
}

async function closeLane({ directory, proxy, server }: Lane): Promise<void> {
  await proxy.stop();
  await server.kill();
  await rm(directory, { recursive: true });
}

/** What a schedule must not leave behind: files at the reader, blocks at the server. */
async function leftBehind({ directory, server }: Lane): Promise<string[]> {
  const left = (await readdir(directory)).map((name) => `left a file behind: ${name}`);
  const end = Date.now() + RELEASE_MS;
  while ((await server.heldBlocks()) > 0) {
    if (Date.now() > end) return [...left, "the server has not released its blocks"];
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return left;
}
