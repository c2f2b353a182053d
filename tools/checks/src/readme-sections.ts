import type { Finding } from "./finding.ts";
import { type MarkdownPage, readMarkdown } from "./tree/markdown.ts";
import type { SourceTree } from "./tree/source-tree.ts";
import type { WorkspacePackage } from "./tree/workspace-package.ts";

const EXAMPLE_LINES_MAX = 30;

/** Headings that every README has, by a word they contain. Install and example need none. */
const SECTIONS: readonly { readonly name: string; readonly heading: RegExp }[] = [
  { name: "limits", heading: /\blimit/i },
  { name: "errors", heading: /\berror/i },
];

/** Each published package has a README that makes sense alone. */
export function readmeSections(tree: SourceTree): Finding[] {
  return tree.packages
    .filter((owner) => owner.folder.startsWith("packages/"))
    .flatMap((owner) => judgeReadme(tree, owner));
}

function judgeReadme(tree: SourceTree, owner: WorkspacePackage): Finding[] {
  const file = `${owner.folder}/README.md`;
  if (!tree.files.includes(file)) {
    const fix = "write what it is for, install, example, limits, errors";
    return [{ file, line: 1, message: `${owner.name} has no README.md`, fix }];
  }
  const page = readMarkdown(tree.text(file));
  const faults = [
    ...missingSections(page),
    ...judgeIntroduction(page, owner),
    ...judgeInstall(page, owner),
    ...judgeExample(page),
  ];
  return faults.map((fault) => ({ file, line: 1, ...fault }));
}

type Fault = Pick<Finding, "message" | "fix"> & Partial<Pick<Finding, "line">>;

function missingSections({ headings }: MarkdownPage): Fault[] {
  return SECTIONS.filter(
    ({ heading }) => !headings.some(({ level, text }) => level > 1 && heading.test(text)),
  ).map(({ name }) => ({ message: `no section on ${name}`, fix: `add a heading "${name}"` }));
}

/** What the package is for stands between the title and the first section. */
function judgeIntroduction({ headings, prose }: MarkdownPage, owner: WorkspacePackage): Fault[] {
  const [title, next] = headings;
  if (title?.level !== 1 || !title.text.includes(owner.name)) {
    return [{ message: `the title does not name ${owner.name}`, fix: `# ${owner.name}` }];
  }
  const introduction = prose.slice(title.line, (next?.line ?? prose.length + 1) - 1);
  if (introduction.some((line) => line.trim() !== "")) return [];
  return [
    { message: "nothing says what the package is for", fix: "add a paragraph below # title" },
  ];
}

function judgeInstall({ codes, prose }: MarkdownPage, owner: WorkspacePackage): Fault[] {
  const command = `npm install ${owner.name}`;
  const has = (text: string): boolean => text.includes(command);
  if (codes.some(({ code }) => has(code)) || prose.some(has)) return [];
  return [{ message: "no install line", fix: command }];
}

function judgeExample({ codes }: MarkdownPage): Fault[] {
  const examples = codes.filter(({ info }) => info === "ts");
  if (examples.length === 0) {
    return [{ message: "no runnable example", fix: "add a ```ts block that runs by itself" }];
  }
  const lines = Math.min(...examples.map(({ code }) => code.trim().split("\n").length));
  if (lines < EXAMPLE_LINES_MAX) return [];
  const message = `the shortest example has ${lines} lines, limit ${EXAMPLE_LINES_MAX - 1}`;
  return [{ message, fix: "show one thing" }];
}
