import ts from "typescript";
import type { Finding } from "./finding.ts";
import type { SourceTree } from "./tree/source-tree.ts";
import { lineOf } from "./tree/syntax.ts";

/** Every name that a library source exports has a docstring where it is declared. */
export function docstrings(tree: SourceTree): Finding[] {
  return tree.librarySources().flatMap((file) => undocumented(file, tree.syntax(file)));
}

function undocumented(file: string, syntax: ts.SourceFile): Finding[] {
  const documented = new Set<string>();
  const exported = exportedByList(syntax);
  const findings: Finding[] = [];
  for (const statement of syntax.statements) {
    for (const [name, node] of declarationsOf(statement)) {
      if (!hasExportKeyword(statement) && !exported.has(name)) continue;
      // Overloads share the docstring of the first.
      if (documented.has(name)) continue;
      documented.add(name);
      if (hasDocstring(statement)) continue;
      const message = `exported ${name} has no docstring`;
      const fix = "add /** ... */ above it";
      findings.push({ file, line: lineOf(node), message, fix });
    }
  }
  return findings;
}

/** Names in `export { a, b as c }` of declarations of this file. */
function exportedByList(syntax: ts.SourceFile): ReadonlySet<string> {
  const lists = syntax.statements
    .filter((statement) => ts.isExportDeclaration(statement))
    .filter((statement) => statement.moduleSpecifier === undefined)
    .map((statement) => statement.exportClause);
  const names = lists.flatMap((clause) =>
    clause !== undefined && ts.isNamedExports(clause)
      ? clause.elements.map((element) => (element.propertyName ?? element.name).text)
      : [],
  );
  return new Set(names);
}

function declarationsOf(statement: ts.Statement): readonly (readonly [string, ts.Node])[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((node) => [node.name.getText(), node]);
  }
  if (ts.isExportAssignment(statement)) return [["default", statement]];
  if (isNamedDeclaration(statement)) return [[statement.name?.text ?? "default", statement]];
  return [];
}

type NamedDeclaration =
  | ts.FunctionDeclaration
  | ts.ClassDeclaration
  | ts.InterfaceDeclaration
  | ts.TypeAliasDeclaration
  | ts.EnumDeclaration;

function isNamedDeclaration(node: ts.Node): node is NamedDeclaration {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isEnumDeclaration(node)
  );
}

function hasExportKeyword(statement: ts.Statement): boolean {
  if (ts.isExportAssignment(statement)) return true;
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function hasDocstring(statement: ts.Statement): boolean {
  const docs = ts.getJSDocCommentsAndTags(statement).filter((doc) => ts.isJSDoc(doc));
  return docs.some((doc) => (ts.getTextOfJSDocComment(doc.comment) ?? "").trim() !== "");
}
