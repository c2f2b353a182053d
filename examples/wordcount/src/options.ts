import { dirname, join, resolve } from "node:path";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { UserError } from "./user-error.ts";

/** What the person asked for. */
export interface WordCountOptions {
  readonly input: string;
  readonly executors: number;
  readonly partitions: number;
  readonly port: number;
  readonly json: boolean;
  readonly killOne: boolean;
  readonly killDriver: boolean;
  readonly keep: boolean;
}

const DESCRIPTION = `Counts the words of real text with a driver and several executors, each its own
process, through a sort-based shuffle over sockets, and checks the complete result.`;

/** Two directories up from this file is the workspace, whose installed packages are full of text. */
const DEFAULT_INPUT = join(dirname(dirname(dirname(import.meta.dirname))), "node_modules", ".pnpm");

/**
 * Reads the command line. Gives null when help was asked for and printed.
 * @throws UserError naming the bad option.
 */
export function parseOptions(args: readonly string[]): WordCountOptions | null {
  const command = new Command("npm run demo --")
    .description(DESCRIPTION)
    .addOption(
      new Option("--input <dir>", "count every text file below DIR, up to 256 MiB").default(
        DEFAULT_INPUT,
        "the workspace's installed packages",
      ),
    )
    .option("--executors <n>", "executor processes", wholeNumber(1, 64), 2)
    .option("--partitions <n>", "reduce partitions", wholeNumber(1, 1000), 8)
    .option("--port <n>", "port of the driver, 0 for any free one", wholeNumber(0, 65_535), 0)
    .option("--json", "print one JSON object instead of a report", false)
    .option("--kill-one", "kill an executor with SIGKILL in the middle of the shuffle", false)
    .option("--kill-driver", "kill the driver there, and start it again from its state", false)
    .option("--keep", "leave the shuffle files for inspection", false)
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return null;
    throw new UserError(`${(error as Error).message.replace(/^error: /, "")} (see --help)`);
  }
  const options = command.opts<WordCountOptions>();
  if (options.killOne && options.executors < 2) {
    throw new UserError("--kill-one needs at least two executors, so that one is left");
  }
  if (options.killOne && options.killDriver) {
    throw new UserError("--kill-one and --kill-driver cannot be had together");
  }
  return { ...options, input: resolve(options.input) };
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`A whole number from ${min} to ${max} is wanted.`);
  };
}
