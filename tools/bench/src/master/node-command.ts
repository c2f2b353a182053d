import { join } from "node:path";
import type { HalfCommand } from "../halves/half-command.ts";

const MAIN = join(import.meta.dirname, "..", "main.ts");

/** A hidden command of this program, in a process of its own. */
export function nodeCommand(args: readonly string[], flags: readonly string[] = []): HalfCommand {
  return { program: process.execPath, args: [...process.execArgv, ...flags, MAIN, ...args] };
}
