import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { SourceTree } from "../src/tree/source-tree.ts";

/** Content of files by their path. */
export type Files = Readonly<Record<string, string>>;

/** Writes the files to a temporary folder, which is removed when the test is over. */
export function plantFiles(files: Files): string {
  const root = mkdtempSync(join(tmpdir(), "bm-checks-"));
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true });
  });
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return root;
}

/** A tree of these files. */
export function plantTree(files: Files): SourceTree {
  return new SourceTree(plantFiles(files));
}

/** A package.json with the parts that the checks read. */
export function manifest(name: string, ...dependencies: readonly string[]): string {
  return JSON.stringify({
    name,
    type: "module",
    exports: { ".": { "@bm/source": "./src/index.ts", default: "./dist/index.js" } },
    dependencies: Object.fromEntries(dependencies.map((dependency) => [dependency, "workspace:^"])),
  });
}
