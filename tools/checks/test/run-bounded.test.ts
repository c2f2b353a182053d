import process from "node:process";
import { expect, it } from "vitest";
import { runBounded } from "../src/tree/run-bounded.ts";

it("kills a program at its time limit, with everything it started", async () => {
  const grandchild = 'process.stdout.write("up"); setInterval(() => {}, 1000)';
  const code = `
    const { spawn } = require("node:child_process");
    spawn(process.execPath, ["-e", ${JSON.stringify(grandchild)}], { stdio: "inherit" });
    setInterval(() => {}, 1000);
  `;
  // The call ends only when the last process that holds the pipe is gone.
  const run = await runBounded(process.execPath, ["-e", code], { cwd: ".", limitMs: 1500 });
  expect(run.exitCode).toBeNull();
});
