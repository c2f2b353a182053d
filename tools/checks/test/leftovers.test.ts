import { describe, expect, it } from "vitest";
import { leftovers } from "../src/leftovers.ts";
import { plantTree } from "./planted-tree.ts";

function messages(text: string, file = "packages/block/src/a.ts"): string[] {
  return leftovers(plantTree({ [file]: text })).map(({ line, message }) => `${line} ${message}`);
}

describe("leftovers", () => {
  it.each(["TODO", "FIXME", "XXX", "HACK"])("refuses the reminder %s", (word) => {
    const expected = [`2 leftover reminder ${word}`];
    expect(messages(`f();\n// ${word}: later\n`)).toEqual(expected);
    expect(messages(`# A\n${word}\n`, "docs/a.md")).toEqual(expected);
    expect(messages(`f();\n// ${word}\n`, "tools/run.mjs")).toEqual(expected);
    expect(messages(`message A {\n// ${word}\n`, "packages/rpc/proto/a.proto")).toEqual(expected);
  });

  it("refuses focused tests", () => {
    const file = "packages/block/test/a.test.ts";
    expect(messages('it.only("x", f);\n', file)).toEqual([
      "1 it.only keeps the other tests from running",
    ]);
    expect(messages('\ndescribe.skipIf(no).only("x", f);\n', file)).toHaveLength(1);
  });

  it("refuses debugger statements everywhere and the console in libraries", () => {
    expect(messages("debugger;\n", "tools/bench/src/a.ts")).toEqual(["1 debugger statement"]);
    expect(messages("console.log(1);\n")).toEqual(["1 console.log in a library"]);
    expect(messages("console.log(1);\n", "examples/wordcount/src/a.ts")).toEqual([]);
  });

  it("passes words in strings, longer words and other things called only", () => {
    expect(messages('const a = "TODO";\nconst TODOS = rows.only;\n')).toEqual([]);
  });
});
