import ts from "typescript";
import { lineOf } from "./syntax.ts";

/** One mention of another module in a file. */
export interface ModuleReference {
  readonly specifier: string;
  /** `type` leaves no trace at run time; `dynamic` is `import()` of a literal. */
  readonly kind: "value" | "type" | "dynamic";
  readonly line: number;
}

/** Lists what a file imports and re-exports, in the order of the text. */
export function moduleReferences(file: ts.SourceFile): readonly ModuleReference[] {
  const references: ModuleReference[] = [];
  const add = (literal: ts.Expression, kind: ModuleReference["kind"]): void => {
    if (!ts.isStringLiteralLike(literal)) return;
    references.push({ specifier: literal.text, kind, line: lineOf(literal) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, isTypeOnlyImport(node) ? "type" : "value");
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node.moduleSpecifier, node.isTypeOnly ? "type" : "value");
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) add(node.argument.literal, "type");
    } else if (isDynamicImport(node)) {
      const [specifier] = node.arguments;
      if (specifier !== undefined) add(specifier, "dynamic");
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return references;
}

/** `import { type A }` alone still loads the module at run time, so it is not type-only. */
function isTypeOnlyImport(node: ts.ImportDeclaration): boolean {
  return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

function isDynamicImport(node: ts.Node): node is ts.CallExpression {
  return ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
}
