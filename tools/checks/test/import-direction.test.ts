import { describe, expect, it } from "vitest";
import { importDirection } from "../src/import-direction.ts";
import { type Files, manifest, plantTree } from "./planted-tree.ts";

const CLEAN: Files = {
  "packages/block/package.json": manifest("@bm/block"),
  "packages/block/src/index.ts": "export const block = 1;\n",
  "packages/transport/package.json": JSON.stringify({
    name: "@bm/transport",
    exports: { ".": "./src/index.ts", "./testing": "./src/testing/index.ts" },
  }),
  "packages/transport/src/index.ts": "export const transport = 1;\n",
  "packages/shuffle/package.json": manifest("@bm/shuffle", "@bm/transport", "p-retry"),
  "packages/shuffle/src/index.ts":
    'import "@bm/transport";\nimport "p-retry";\nimport "node:path";\n',
  "packages/shuffle/test/a.test.ts": 'import "@bm/transport/testing";\nimport "vitest";\n',
};

function messages(files: Files): string[] {
  return importDirection(plantTree({ ...CLEAN, ...files })).map(
    ({ file, line, message }) => `${file}:${line} ${message}`,
  );
}

describe("import direction", () => {
  it("passes imports that follow the arrows and the manifests", () => {
    expect(messages({})).toEqual([]);
  });

  it("refuses an import against the arrows, in sources and in tests", () => {
    const planted = messages({
      "packages/transport/src/upwards.ts": '\nimport type { A } from "@bm/shuffle";\n',
      "packages/transport/test/upwards.test.ts": 'const { a } = await import("@bm/shuffle");\n',
    });
    expect(planted).toContain(
      "packages/transport/src/upwards.ts:2 @bm/transport must not import @bm/shuffle",
    );
    expect(planted).toContain(
      "packages/transport/test/upwards.test.ts:1 @bm/transport must not import @bm/shuffle",
    );
  });

  it("refuses a dependency against the arrows even when nothing imports it", () => {
    expect(
      messages({ "packages/block/package.json": manifest("@bm/block", "@bm/shuffle") }),
    ).toEqual(["packages/block/package.json:1 @bm/block must not import @bm/shuffle"]);
  });

  it("refuses a package that the diagram does not know", () => {
    expect(messages({ "packages/misc/package.json": manifest("@bm/misc") })).toEqual([
      "packages/misc/package.json:1 package @bm/misc has no place in the import diagram",
    ]);
  });

  it("refuses imports of packages that the manifest does not declare", () => {
    expect(messages({ "packages/block/src/retry.ts": 'import pRetry from "p-retry";\n' })).toEqual([
      "packages/block/src/retry.ts:1 p-retry is imported but not in the dependencies of " +
        "packages/block/package.json",
    ]);
  });

  it("refuses a declared package of the workspace that nothing imports", () => {
    const planted = manifest("@bm/shuffle", "@bm/transport", "@bm/block", "p-retry");
    expect(messages({ "packages/shuffle/package.json": planted })).toEqual([
      "packages/shuffle/package.json:1 @bm/block is declared but no file of packages/shuffle " +
        "imports it",
    ]);
  });

  it("refuses ways around the public entries of another package", () => {
    expect(
      messages({
        "packages/shuffle/src/deep.ts": 'import "@bm/transport/src/index.ts";\n',
        "packages/shuffle/src/around.ts": 'import "../../transport/src/index.ts";\n',
      }),
    ).toEqual([
      "packages/shuffle/src/around.ts:1 relative import leaves packages/shuffle: " +
        "../../transport/src/index.ts",
      "packages/shuffle/src/deep.ts:1 @bm/transport/src/index.ts is not a public entry of " +
        "@bm/transport",
    ]);
  });

  it("refuses test doubles in code that users run", () => {
    expect(
      messages({ "packages/shuffle/src/fake.ts": 'import "@bm/transport/testing";\n' }),
    ).toEqual(["packages/shuffle/src/fake.ts:1 @bm/transport/testing in code that users run"]);
  });
});
