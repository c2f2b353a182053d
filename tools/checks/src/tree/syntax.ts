import ts from "typescript";

/** Line of the first character of a node, without its comments; counted from 1. */
export function lineOf(node: ts.Node): number {
  const file = node.getSourceFile();
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}

/** Calls `visit` for a node and everything below it, parents first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => {
    walk(child, visit);
  });
}

/** True when the position is inside a string, a template or a regular expression. */
export function isInsideLiteral(file: ts.SourceFile, position: number): boolean {
  const holds = (node: ts.Node): boolean => {
    if (position < node.getStart(file) || position >= node.end) return false;
    if (ts.isLiteralExpression(node) || ts.isTemplateLiteral(node)) return true;
    return ts.forEachChild(node, (child) => holds(child) || undefined) ?? false;
  };
  return holds(file);
}
