import { copyFileSync, existsSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Finding } from "../src/finding.ts";
import { readmeExamples } from "../src/readme-examples.ts";
import { SourceTree } from "../src/tree/source-tree.ts";
import { type Files, manifest, plantFiles } from "./planted-tree.ts";

const WORKSPACE = join(import.meta.dirname, "../../..");
const README = "packages/block/README.md";

const PACKAGE: Files = {
  "packages/block/package.json": manifest("@bm/block"),
  "packages/block/src/index.ts":
    "/** Twice as much. */\nexport function twice(n: number): number {\n  return 2 * n;\n}\n",
};

/** Types of Node and the flags are those of this workspace. */
function plantWorkspace(files: Files): string {
  const root = plantFiles({ ...PACKAGE, ...files });
  symlinkSync(join(WORKSPACE, "node_modules"), join(root, "node_modules"));
  copyFileSync(join(WORKSPACE, "tsconfig.base.json"), join(root, "tsconfig.base.json"));
  return root;
}

function judge(files: Files): Promise<Finding[]> {
  return readmeExamples(new SourceTree(plantWorkspace(files)));
}

function fence(code: string, info = "ts"): string {
  return `# @bm/block\n\n\`\`\`${info}\n${code}\n\`\`\`\n`;
}

const GOOD = 'import { twice } from "@bm/block";\nif (twice(2) !== 4) throw new Error("wrong");';

describe("examples in READMEs", () => {
  it("pass when they compile and exit with 0", async () => {
    const failing = 'process.exitCode = Number("1");';
    const findings = await judge({
      [README]: fence(GOOD) + fence(failing, "ts no-run") + fence("no code", "sh"),
      "README.md": fence(GOOD),
    });
    expect(findings).toEqual([]);
  });

  it("fail when they do not compile, at the line of the README", async () => {
    const wrongType = 'import { twice } from "@bm/block";\ntwice("2");';
    const findings = await judge({ [README]: fence(wrongType), "README.md": fence("nothing();") });
    expect(findings).toEqual([
      expect.objectContaining({ file: "README.md", line: 4 }),
      expect.objectContaining({ file: README, line: 5 }),
    ]);
    expect(findings[1]?.message).toContain("TS2345");
  });

  it("fail when they are not compiled under the strict flags", async () => {
    const findings = await judge({
      [README]: fence("const list: number[] = [1];\nlist[0].toFixed();", "ts no-run"),
    });
    expect(findings[0]?.message).toContain("possibly 'undefined'");
  });

  it("fail when they throw, with what they printed", async () => {
    const [finding, ...more] = await judge({
      [README]: fence('import "@bm/block";\nthrow new Error("no such luck");'),
    });
    expect(finding).toMatchObject({ file: README, line: 4 });
    expect(finding?.message).toMatch(/example exited with 1[^]*README\.md:5[^]*no such luck/);
    expect(more).toEqual([]);
  });

  it("fail when they import what their package does not depend on", async () => {
    const findings = await judge({ "README.md": fence('import "@bm/elsewhere";') });
    expect(findings.map(({ message }) => message)).toEqual([
      "the example imports packages that no one package depends on",
    ]);
  });

  it("leave no files behind", async () => {
    const root = plantWorkspace({ [README]: fence("throw new Error();") });
    await readmeExamples(new SourceTree(root));
    expect(readdirSync(join(root, "packages/block")).toSorted()).toEqual([
      "README.md",
      "package.json",
      "src",
    ]);
    expect(existsSync(join(root, "node_modules"))).toBe(true);
  });
});
