#!/usr/bin/env node
/** The drills as a command. Exit codes: 0 all held, 1 something did not, 2 wrong use. */
import { createCommand } from "./command.ts";

try {
  await createCommand().parseAsync();
} catch (error) {
  console.error(`drill: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
process.exit();
