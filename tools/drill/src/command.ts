import { Command, InvalidArgumentError } from "commander";
import { runDrill } from "./faults/run-drill.ts";
import { Tally } from "./faults/tally.ts";
import {
  type HedgingDrillOptions,
  medianRatio,
  rowOf,
  runHedgingDrill,
} from "./hedging/run-hedging-drill.ts";

interface FaultOptions {
  readonly schedules: number;
  readonly seed: number;
  readonly lanes: number;
}

const PROGRESS_EVERY = 250;

/** `drill`, with a command for each kind of drill; without a name it is `faults`. */
export function createCommand(): Command {
  const program = new Command("drill").description(
    "Drives the block transfer through faults, with real processes and sockets.",
  );
  program
    .command("faults", { isDefault: true })
    .description("seeded faults of connections and servers; every block must end once")
    .option("--schedules <count>", "how many", positive, 1000)
    .option("--seed <number>", "where they begin; --schedules 1 repeats one", whole, 1)
    .option("--lanes <count>", "how many at a time", positive, 6)
    .action(drillFaults);
  program
    .command("hedging")
    .description("ten servers of which one becomes a hundred times slower, with hedged fetches")
    .option("--fetches <count>", "in each half of a round", positive, 4000)
    .option("--rounds <count>", "how often, in turns; the median counts", positive, 3)
    .option("--pause <ms>", "between two fetches", positive, 5)
    .action(drillHedging);
  return program;
}

async function drillHedging(options: HedgingDrillOptions): Promise<void> {
  const rounds = await runHedgingDrill({
    ...options,
    onRound: (round) => console.log(rowOf(round)),
  });
  const ratio = medianRatio(rounds);
  const extraShare = Math.max(...rounds.map((round) => round.extraShare));
  console.log(
    `median ratio ${ratio.toFixed(2)}, at most ${(100 * extraShare).toFixed(1)} % more requests`,
  );
  if (ratio > 2 || extraShare > 0.05) process.exitCode = 1;
}

async function drillFaults({ lanes, schedules, seed }: FaultOptions): Promise<void> {
  const tally = new Tally();
  const startedMs = Date.now();
  const faults = await runDrill({
    lanes,
    schedules,
    seed,
    onOutcome: (outcome) => {
      tally.add(outcome);
      for (const fault of outcome.faults) {
        console.log(`seed ${outcome.schedule.seed} (${outcome.schedule.kind}): ${fault}`);
      }
      if (tally.done % PROGRESS_EVERY > 0) return;
      const seconds = Math.round((Date.now() - startedMs) / 1000);
      console.log(`${tally.done} of ${schedules} after ${seconds} s, ${tally.faulty} with faults`);
    },
  });
  console.log(`\n${tally.table()}\n`);
  console.log(`${tally.disturbed} runs were repeated because the machine stood still meanwhile`);
  for (const fault of faults) console.log(fault);
  if (faults.length === 0) {
    console.log(`all ${schedules} schedules from seed ${seed} held`);
    return;
  }
  console.log("repeat one with: npm run drill -- --schedules 1 --lanes 1 --seed <seed>");
  process.exitCode = 1;
}

function whole(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("must be a whole number");
}

function positive(text: string): number {
  const value = whole(text);
  if (value > 0) return value;
  throw new InvalidArgumentError("must be at least 1");
}
