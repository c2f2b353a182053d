import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { defineConfig } from "vitest/config";

// Workspace packages resolve to their sources (export condition "@bm/source"), so tests need no build.
const conditions = ["@bm/source", "module", "node", "development|production"];
const roots = ["packages", "tools", "examples"]
  .map((group) => join(import.meta.dirname, group))
  .flatMap((group) => readdirSync(group).map((name) => join(group, name)))
  .filter((dir) => existsSync(join(dir, "test")));

export default defineConfig({
  ssr: { resolve: { conditions } },
  test: {
    projects: roots.map((root) => ({
      extends: true as const,
      root,
      test: { name: basename(root), include: ["test/**/*.test.ts"] },
    })),
    // Tests that start processes share slow machines with each other; none of them measures time.
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Child processes started by a test resolve workspace packages to their sources too.
    execArgv: ["--conditions=@bm/source"],
    coverage: { provider: "v8", include: ["packages/*/src/**"], exclude: ["**/gen/**"] },
    // One report for each package, in the folder from which it was started; `npm test` adds them up.
    reporters: ["default", "json"],
    outputFile: { json: join(process.cwd(), "coverage/results.json") },
  },
});
