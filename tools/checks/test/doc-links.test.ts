import { describe, expect, it } from "vitest";
import { docLinks } from "../src/doc-links.ts";
import { plantTree } from "./planted-tree.ts";

const CLEAN = {
  "README.md": "# Bm\n\n## What it is, and `why`\n\n## Limits\n\n## Limits\n",
  "docs/guide.md": '# Guide\n<a id="own"></a>\n',
  "packages/block/src/index.ts": "",
};

function faults(page: string): string[] {
  const tree = plantTree({ ...CLEAN, "docs/page.md": page });
  return docLinks(tree).map(({ file, line, message }) => `${file}:${line} ${message}`);
}

describe("links in the docs", () => {
  it("passes links to files, folders, headings and the outside", () => {
    const page = [
      "# Page",
      "[a](guide.md) [b](./guide.md#guide) [c](../packages/block/src) [d](#page) ![e](guide.md)",
      '[f](../README.md#what-it-is-and-why "title") [g](../README.md#limits-1) [h](guide.md#own)',
      "[i](https://a.example/x#y) [j](mailto:a@a.example) [k](/README.md) [l][ref]",
      "[ref]: guide.md",
      "`[code](nowhere.md)`",
      "```md",
      "[code](nowhere.md)",
      "```",
    ];
    expect(faults(page.join("\n"))).toEqual([]);
  });

  it.each([
    ["[a](nowhere.md)", "link nowhere.md: no such file or folder"],
    ["![a](nowhere.png)", "link nowhere.png: no such file or folder"],
    ["[a]: nowhere.md", "link nowhere.md: no such file or folder"],
    ['<img src="nowhere.png">', "link nowhere.png: no such file or folder"],
    ["[a](#nowhere)", "link #nowhere: no heading #nowhere in docs/page.md"],
    ["[a](guide.md#nowhere)", "link guide.md#nowhere: no heading #nowhere in docs/guide.md"],
    ["[a](../README.md#limits-2)", "link ../README.md#limits-2: no heading #limits-2 in README.md"],
    ["[a](../../elsewhere.md)", "link ../../elsewhere.md: leads out of the workspace"],
  ])("refuses %s", (link, message) => {
    expect(faults(`# Page\n\n${link}\n`)).toEqual([`docs/page.md:3 ${message}`]);
  });
});
