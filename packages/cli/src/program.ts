import { Command } from "commander";
import { cleanCommand } from "./clean/clean-command.ts";
import type { CommandOutput } from "./serve/run-serve.ts";
import { serveCommand } from "./serve/serve-command.ts";

/** The command line of `bm`. */
export function createProgram(output: CommandOutput): Command {
  return new Command("bm")
    .description("storage services of a distributed data engine")
    .addCommand(serveCommand(output))
    .addCommand(cleanCommand(output));
}
