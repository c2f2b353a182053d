import { describe, expect, it } from "vitest";
import { codeSize } from "../src/code-size.ts";
import { plantTree } from "./planted-tree.ts";

function messages(code: string, file = "packages/block/src/a.ts"): string[] {
  return codeSize(plantTree({ [file]: code })).map(({ line, message }) => `${line} ${message}`);
}

/** A function of this many lines. */
function functionOf(lines: number, head = "function f() {", end = "}"): string {
  return `${head}\n${"  g();\n".repeat(lines - 2)}${end}\n`;
}

describe("code size", () => {
  it("takes files of 500 lines and refuses more", () => {
    expect(messages("f();\n".repeat(500))).toEqual([]);
    expect(messages("f();\n".repeat(501))).toEqual(["501 file of 501 lines, limit 500"]);
  });

  it("takes functions of 70 lines and refuses more, in every form", () => {
    expect(messages(functionOf(70))).toEqual([]);
    const refused = "function of 71 lines, limit 70";
    expect(messages(functionOf(71))).toEqual([`1 ${refused}`]);
    expect(messages(functionOf(71, "const f = () => {", "};"))).toEqual([`1 ${refused}`]);
    const method = `class A {\n${functionOf(71, "m() {")}}\n`;
    expect(messages(method)).toEqual([`2 ${refused}`]);
  });

  it("lets a group of tests be long, but not a test", () => {
    const file = "packages/block/test/a.test.ts";
    expect(messages(functionOf(90, 'describe("x", () => {', "});"), file)).toEqual([]);
    expect(messages(functionOf(90, 'describe.skipIf(no)("x", () => {', "});"), file)).toEqual([]);
    expect(messages(functionOf(90, 'it("x", () => {', "});"), file)).toHaveLength(1);
    const suite = 'export function storeSuite(make) {\n  it("x", f);';
    expect(messages(functionOf(90, suite), file)).toEqual([]);
  });

  it("takes lines of 110 columns and refuses more outside of links and quotes", () => {
    expect(messages(`// ${"x".repeat(107)}\n`)).toEqual([]);
    expect(messages(`// ${"x".repeat(108)}\n`)).toEqual(["1 line of 111 columns, limit 110"]);
    expect(messages(`// https://a.example/${"x".repeat(120)}\n`)).toEqual([]);
    expect(messages(`f("${"x".repeat(120)}");\n`)).toEqual([]);
  });
});
