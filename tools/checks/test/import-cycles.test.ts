import { describe, expect, it } from "vitest";
import { importCycles } from "../src/import-cycles.ts";
import { plantTree } from "./planted-tree.ts";

const PACKAGE = "packages/block/src";

describe("import cycles", () => {
  it("passes a graph in which two files share a third, and cycles of types alone", () => {
    const tree = plantTree({
      [`${PACKAGE}/a.ts`]: 'import "./b.ts";\nimport "./c.ts";\n',
      [`${PACKAGE}/b.ts`]: 'import "./c.ts";\nimport type { A } from "./a.ts";\n',
      [`${PACKAGE}/c.ts`]: 'export type { A } from "./a.ts";\n',
    });
    expect(importCycles(tree)).toEqual([]);
  });

  it("reports a cycle once, with its whole way", () => {
    const tree = plantTree({
      [`${PACKAGE}/a.ts`]: 'import "./deep/b.ts";\n',
      [`${PACKAGE}/deep/b.ts`]: '\nexport { c } from "../c.ts";\n',
      [`${PACKAGE}/c.ts`]: 'import { type A } from "./a.ts";\n',
    });
    const found = importCycles(tree);
    expect(found.map(({ message }) => message)).toEqual([
      `import cycle: ${PACKAGE}/a.ts > ${PACKAGE}/deep/b.ts > ${PACKAGE}/c.ts > ${PACKAGE}/a.ts`,
    ]);
    expect(found[0]).toMatchObject({ file: `${PACKAGE}/c.ts`, line: 1 });
  });

  it("reports a file that imports itself", () => {
    const tree = plantTree({ [`${PACKAGE}/a.ts`]: 'import "./a.ts";\n' });
    expect(importCycles(tree)).toHaveLength(1);
  });
});
