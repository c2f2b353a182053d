import ts from "typescript";
import type { Finding } from "./finding.ts";
import type { SourceTree } from "./tree/source-tree.ts";
import { isInsideLiteral, lineOf, walk } from "./tree/syntax.ts";

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
/** The formatter wraps code at 100; comments get a little more before it is a fault. */
const LINE_COLUMNS_MAX = 110;

/** Groups of tests are functions too, but they read as a list: only what they hold is measured. */
const TEST_GROUPS: ReadonlySet<string> = new Set(["describe", "suite"]);
const TEST_CALLS: ReadonlySet<string> = new Set([...TEST_GROUPS, "it", "test"]);

/** Files, functions and lines stay within what one can take in at once. */
export function codeSize(tree: SourceTree): Finding[] {
  return tree
    .typescriptFiles()
    .flatMap((file) => [
      ...longFile(file, tree.text(file)),
      ...longFunctions(file, tree.syntax(file)),
      ...longLines(file, tree.syntax(file)),
    ]);
}

function longFile(file: string, text: string): Finding[] {
  const lines = text.replace(/\n$/, "").split("\n").length;
  if (lines <= FILE_LINES_MAX) return [];
  const message = `file of ${lines} lines, limit ${FILE_LINES_MAX}`;
  return [{ file, line: FILE_LINES_MAX + 1, message, fix: "split it by concept" }];
}

function longFunctions(file: string, syntax: ts.SourceFile): Finding[] {
  const findings: Finding[] = [];
  walk(syntax, (node) => {
    if (!ts.isFunctionLike(node) || isTestGroup(node)) return;
    const line = lineOf(node);
    const lines = syntax.getLineAndCharacterOfPosition(node.end).line + 2 - line;
    if (lines <= FUNCTION_LINES_MAX) return;
    const message = `function of ${lines} lines, limit ${FUNCTION_LINES_MAX}`;
    findings.push({ file, line, message, fix: "name its steps as functions of their own" });
  });
  return findings;
}

/**
 * What is handed to `describe("...", () => {})`, also in the form `describe.skipIf(...)("...", ...)`;
 * and a suite that other tests call with what they test, which consists of such calls.
 */
function isTestGroup(node: ts.SignatureDeclaration): boolean {
  if (ts.isCallExpression(node.parent) && TEST_GROUPS.has(calleeOf(node.parent))) return true;
  const body = "body" in node ? node.body : undefined;
  return body !== undefined && ts.isBlock(body) && body.statements.some(isTestCall);
}

function isTestCall(statement: ts.Statement): boolean {
  if (!ts.isExpressionStatement(statement)) return false;
  return (
    ts.isCallExpression(statement.expression) && TEST_CALLS.has(calleeOf(statement.expression))
  );
}

/** `describe` in `describe("...")`, `describe.each(...)("...")`. */
function calleeOf(call: ts.CallExpression): string {
  let callee: ts.Expression = call;
  while (ts.isPropertyAccessExpression(callee) || ts.isCallExpression(callee)) {
    callee = callee.expression;
  }
  return ts.isIdentifier(callee) ? callee.text : "";
}

/** Links and text in quotes cannot be wrapped, so they may be longer. */
function longLines(file: string, syntax: ts.SourceFile): Finding[] {
  const starts = syntax.getLineStarts();
  return syntax.text.split("\n").flatMap((text, index) => {
    if (text.length <= LINE_COLUMNS_MAX || text.includes("://")) return [];
    if (isInsideLiteral(syntax, (starts[index] ?? 0) + LINE_COLUMNS_MAX - 1)) return [];
    const message = `line of ${text.length} columns, limit ${LINE_COLUMNS_MAX}`;
    return [{ file, line: index + 1, message, fix: "wrap it" }];
  });
}
