import { describe, expect, it } from "vitest";
import { readmeSections } from "../src/readme-sections.ts";
import { manifest, plantTree } from "./planted-tree.ts";

const CLEAN = `# @bm/block

Names of blocks.

    npm install @bm/block

\`\`\`ts
import { parse } from "@bm/block";
\`\`\`

## Limits

## Errors
`;

function messages(readme: string | undefined): string[] {
  const files = { "packages/block/package.json": manifest("@bm/block") };
  const tree = plantTree(
    readme === undefined ? files : { ...files, "packages/block/README.md": readme },
  );
  return readmeSections(tree).map(({ message }) => message);
}

describe("sections of a README", () => {
  it("passes a README with all of them", () => {
    expect(messages(CLEAN)).toEqual([]);
  });

  it.each([
    ["## Limits", "no section on limits"],
    ["## Errors", "no section on errors"],
    ["# @bm/block", "the title does not name @bm/block"],
    ["Names of blocks.\n\n    npm install @bm/block\n", "nothing says what the package is for"],
    ["npm install @bm/block", "no install line"],
    ["```ts", "no runnable example"],
  ])("refuses one without %j", (part, message) => {
    expect(messages(CLEAN.replace(part, ""))).toContain(message);
  });

  it("refuses a package without a README, and an example that is too long", () => {
    expect(messages(undefined)).toEqual(["@bm/block has no README.md"]);
    const long = CLEAN.replace('from "@bm/block";\n', `from "@bm/block";\n${"f();\n".repeat(29)}`);
    expect(messages(long)).toEqual(["the shortest example has 30 lines, limit 29"]);
  });
});
