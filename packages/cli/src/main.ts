#!/usr/bin/env node
import { nodeTooOld } from "./platform/node-version.ts";
import { startWithSmallHeap } from "./platform/small-heap.ts";

const refusal = nodeTooOld(process.versions.node);
if (refusal !== null) {
  process.stderr.write(`bm: ${refusal}\n`);
  process.exit(1);
}
if (process.argv[2] === "serve") startWithSmallHeap();
const { createProgram } = await import("./program.ts");

// Whoever reads the output may be gone, as a pipe to `head` or a log shipper that died. A service goes on.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

try {
  await createProgram({
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  }).parseAsync();
} catch (error) {
  process.stderr.write(`bm: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
