import ts from "typescript";
import type { Finding } from "./finding.ts";
import type { SourceTree } from "./tree/source-tree.ts";
import { isInsideLiteral, lineOf, walk } from "./tree/syntax.ts";

const REMINDER = /\b(?:TODO|FIXME|XXX|HACK)\b/g;
const JUDGED = /\.(?:tsx?|m?js|md|proto|ya?ml|sh)$|^\.ci\//;
const TEST_CALLS: ReadonlySet<string> = new Set(["it", "test", "describe", "suite", "bench"]);

/** Nothing that was meant for the time of writing stays: reminders, focused tests, debug output. */
export function leftovers(tree: SourceTree): Finding[] {
  return [
    ...tree.files.filter((file) => JUDGED.test(file)).flatMap((file) => reminders(tree, file)),
    ...tree.typescriptFiles().flatMap((file) => leftoverCode(file, tree.syntax(file))),
  ];
}

function reminders(tree: SourceTree, file: string): Finding[] {
  const text = tree.text(file);
  return [...text.matchAll(REMINDER)]
    .filter(({ index }) => !/\.tsx?$/.test(file) || !isInsideLiteral(tree.syntax(file), index))
    .map(({ index, 0: word }) => ({
      file,
      line: text.slice(0, index).split("\n").length,
      message: `leftover reminder ${word}`,
      fix: "do it, or open an issue and remove the comment",
    }));
}

function leftoverCode(file: string, syntax: ts.SourceFile): Finding[] {
  const findings: Finding[] = [];
  const isLibrary = /^packages\/[^/]+\/src\//.test(file);
  walk(syntax, (node) => {
    const finding = leftoverNode(node, isLibrary);
    if (finding !== undefined) findings.push({ file, line: lineOf(node), ...finding });
  });
  return findings;
}

function leftoverNode(
  node: ts.Node,
  isLibrary: boolean,
): Pick<Finding, "message" | "fix"> | undefined {
  if (ts.isDebuggerStatement(node)) return { message: "debugger statement", fix: "remove it" };
  if (!ts.isPropertyAccessExpression(node)) return undefined;
  const root = rootNameOf(node);
  if (node.name.text === "only" && TEST_CALLS.has(root)) {
    return { message: `${root}.only keeps the other tests from running`, fix: "remove .only" };
  }
  if (isLibrary && root === "console" && ts.isIdentifier(node.expression)) {
    return { message: `console.${node.name.text} in a library`, fix: "use the Logger passed in" };
  }
  return undefined;
}

function rootNameOf(node: ts.Expression): string {
  let root: ts.Expression = node;
  while (ts.isPropertyAccessExpression(root) || ts.isCallExpression(root)) root = root.expression;
  return ts.isIdentifier(root) ? root.text : "";
}
