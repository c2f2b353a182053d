/** A heading with the name that links use for it. */
export interface MarkdownHeading {
  readonly level: number;
  readonly text: string;
  /** As hosting platforms derive it: lower case, hyphens, a number behind repeats. */
  readonly anchor: string;
  readonly line: number;
}

/** A fenced block of code. */
export interface MarkdownCode {
  /** What follows the fence: `ts`, `ts no-run`, `sh`. */
  readonly info: string;
  readonly code: string;
  /** Line of the first line of code. */
  readonly line: number;
}

/** A link or an image, without its title. */
export interface MarkdownLink {
  readonly target: string;
  readonly line: number;
}

/** What the checks need of a page. */
export interface MarkdownPage {
  readonly headings: readonly MarkdownHeading[];
  readonly codes: readonly MarkdownCode[];
  readonly links: readonly MarkdownLink[];
  /** Names set by `<a id="...">`. */
  readonly htmlAnchors: readonly string[];
  /** The lines with code blanked out, so that line numbers stay. */
  readonly prose: readonly string[];
}

const FENCE = /^(\s*)(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^(#{1,6})\s+(.+?)\s*#*$/;
const INLINE_LINK = /\]\(\s*<?([^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+["'(][^)]*)?\)/g;
const REFERENCE_LINK = /^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/;
const HTML_LINK = /<(?:a|img)\s[^>]*?(?:href|src)="([^"]+)"/g;
const HTML_ANCHOR = /<a\s[^>]*?(?:id|name)="([^"]+)"/g;

/** Reads the parts of a page of Markdown that the checks judge; not a full parser. */
export function readMarkdown(text: string): MarkdownPage {
  const { prose, codes } = splitCode(text.split("\n"));
  return {
    headings: readHeadings(prose),
    codes,
    links: prose.flatMap((line, index) =>
      linksOf(blankInlineCode(line)).map((target) => ({ target, line: index + 1 })),
    ),
    htmlAnchors: prose.flatMap((line) => capturesOf(line, HTML_ANCHOR)),
    prose,
  };
}

function splitCode(lines: readonly string[]): { prose: string[]; codes: MarkdownCode[] } {
  const prose: string[] = [];
  const codes: MarkdownCode[] = [];
  let open: { fence: string; indent: number; info: string; line: number; code: string[] } | null =
    null;
  for (const [index, line] of lines.entries()) {
    const match = FENCE.exec(line);
    const [, indent = "", fence = "", info = ""] = match ?? [];
    prose.push(open !== null || match !== null ? "" : line);
    if (open === null) {
      if (match === null) continue;
      open = { fence, indent: indent.length, info: info.trim(), line: index + 2, code: [] };
    } else if (match !== null && info === "" && fence.startsWith(open.fence)) {
      codes.push({ info: open.info, line: open.line, code: `${open.code.join("\n")}\n` });
      open = null;
    } else {
      open.code.push(line.slice(Math.min(open.indent, line.length - line.trimStart().length)));
    }
  }
  return { prose, codes };
}

function readHeadings(prose: readonly string[]): MarkdownHeading[] {
  const seen = new Map<string, number>();
  return prose.flatMap((line, index) => {
    const [, marks = "", text = ""] = HEADING.exec(line) ?? [];
    if (marks === "") return [];
    const base = anchorOf(text);
    const count = seen.get(base) ?? 0;
    seen.set(base, count + 1);
    const anchor = count === 0 ? base : `${base}-${count}`;
    return [{ level: marks.length, text, anchor, line: index + 1 }];
  });
}

function anchorOf(heading: string): string {
  const text = heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/<[^>]+>/g, "");
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}

function blankInlineCode(line: string): string {
  return line.replace(/(`+)(?!`).*?(?<!`)\1(?!`)/g, "");
}

function linksOf(line: string): string[] {
  const reference = REFERENCE_LINK.exec(line)?.[1];
  const inline = [...capturesOf(line, INLINE_LINK), ...capturesOf(line, HTML_LINK)];
  return (reference === undefined ? inline : [reference]).filter((target) => target !== "");
}

function capturesOf(line: string, pattern: RegExp): string[] {
  return [...line.matchAll(pattern)].map((match) => match[1] ?? "");
}
