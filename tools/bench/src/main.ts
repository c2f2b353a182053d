#!/usr/bin/env node
/** The benchmark as a command. Exit codes: 0 done, 1 a half failed, 2 wrong use. */
import { createCommand } from "./command.ts";

try {
  await createCommand().parseAsync();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
// Sockets of an aborted run may linger; everything worth waiting for has been awaited.
process.exit();
