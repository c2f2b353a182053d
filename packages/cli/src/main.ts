#!/usr/bin/env node
import { createProgram } from "./program.ts";

try {
  await createProgram({
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  }).parseAsync();
} catch (error) {
  process.stderr.write(`bm: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
