import { existsSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import type { Finding } from "./finding.ts";
import { type MarkdownLink, readMarkdown } from "./tree/markdown.ts";
import type { SourceTree } from "./tree/source-tree.ts";

const HAS_SCHEME = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i;

/** Links between the files of the workspace lead somewhere, down to the heading they name. */
export function docLinks(tree: SourceTree): Finding[] {
  const pages = tree.files.filter((file) => file.endsWith(".md"));
  return pages.flatMap((file) =>
    readMarkdown(tree.text(file)).links.flatMap((link) => judgeLink(tree, file, link)),
  );
}

function judgeLink(tree: SourceTree, file: string, { target, line }: MarkdownLink): Finding[] {
  if (HAS_SCHEME.test(target)) return [];
  const fault = faultOf(tree, file, target);
  if (fault === undefined) return [];
  return [{ file, line, message: `link ${target}: ${fault}`, fix: "correct the target" }];
}

function faultOf(tree: SourceTree, file: string, target: string): string | undefined {
  const [path = "", anchor = ""] = target.split("#");
  const linked = path === "" ? file : resolvePath(file, decodeURIComponent(path));
  if (linked.startsWith("..")) return "leads out of the workspace";
  const place = join(tree.root, linked);
  if (!existsSync(place)) return "no such file or folder";
  if (anchor === "" || !linked.endsWith(".md") || !statSync(place).isFile()) return undefined;
  const page = readMarkdown(tree.text(linked));
  const anchors = [...page.headings.map((heading) => heading.anchor), ...page.htmlAnchors];
  if (anchors.includes(decodeURIComponent(anchor).toLowerCase())) return undefined;
  return `no heading #${anchor} in ${linked}`;
}

/** A leading slash means the root of the workspace, as hosting platforms read it. */
function resolvePath(file: string, path: string): string {
  if (path.startsWith("/")) return posix.normalize(path.slice(1) || ".");
  return posix.join(posix.dirname(file), path);
}
