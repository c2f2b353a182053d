import { describe, expect, it } from "vitest";
import { docstrings } from "../src/docstrings.ts";
import { plantTree } from "./planted-tree.ts";

function messages(code: string, file = "packages/block/src/a.ts"): string[] {
  return docstrings(plantTree({ [file]: code })).map(({ line, message }) => `${line} ${message}`);
}

describe("docstrings", () => {
  it.each([
    "export const a = 1;",
    "export function a(): void {}",
    "export async function a(): Promise<void> {}",
    "export class a {}",
    "export abstract class a {}",
    "export interface a {}",
    "export type a = string;",
    "const a = 1;\nexport { a };",
    "class a {}\nexport { a as b };",
    "// Not a docstring.\nexport const a = 1;",
    "/* Not one either. */\nexport const a = 1;",
    "/** */\nexport const a = 1;",
    "/** Of the import. */\nimport 'x';\nexport const a = 1;",
  ])("refuses %s", (code) => {
    expect(messages(code)).toEqual([expect.stringMatching(/^\d exported a has no docstring$/)]);
  });

  it("passes documented names, names that stay inside, and lists of other files' names", () => {
    const code = `
      export { b } from "./b.ts";
      export * from "./c.ts";
      const inside = 1;
      /** What it is. */
      export const a = 1;
      /** Overloads share one. */
      export function f(x: string): void;
      export function f(x: number): void;
      export function f(): void {}
      /** Listed below. */
      class Listed {}
      export { Listed };
    `;
    expect(messages(code)).toEqual([]);
  });

  it("judges the sources of libraries only", () => {
    expect(messages("export const a = 1;", "packages/block/test/a.ts")).toEqual([]);
    expect(messages("export const a = 1;", "packages/block/src/gen/a.ts")).toEqual([]);
    expect(messages("export const a = 1;", "tools/bench/src/a.ts")).toEqual([]);
  });
});
