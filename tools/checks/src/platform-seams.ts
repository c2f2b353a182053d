import ts from "typescript";
import type { Finding } from "./finding.ts";
import { moduleReferences } from "./tree/module-reference.ts";
import type { SourceTree } from "./tree/source-tree.ts";
import { lineOf, walk } from "./tree/syntax.ts";

/** Modules of Node that reach the outside world, with what stands in for them. */
const BANNED_MODULES: ReadonlyMap<string, string> = new Map([
  ["net", "use platform.network"],
  ["dgram", "use platform.network"],
  ["fs", "use platform.files"],
  ["fs/promises", "use platform.files"],
  ["timers", "use platform.clock.setTimer or setImmediate"],
  ["timers/promises", "use platform.clock.sleep"],
  ["perf_hooks", "use platform.clock.nowMs"],
]);

const TIMER = "use platform.clock.setTimer, and cancel() of the timer that it gives";

/** Globals of the same kind. */
const BANNED_GLOBALS: ReadonlyMap<string, string> = new Map([
  ["setTimeout", TIMER],
  ["setInterval", TIMER],
  ["clearTimeout", TIMER],
  ["clearInterval", TIMER],
  ["clearImmediate", TIMER],
  ["setImmediate", "use platform.clock.setImmediate"],
  ["Date", "use platform.clock.wallTimeMs, or nowMs for durations"],
  ["performance", "use platform.clock.nowMs"],
]);

/** Members of globals, by `owner.member`. */
const BANNED_MEMBERS: ReadonlyMap<string, string> = new Map([
  ["Math.random", "use platform.random.next or below"],
  ["process.hrtime", "use platform.clock.nowMs"],
  ["process.uptime", "use platform.clock.nowMs"],
  ["AbortSignal.timeout", "abort from a timer of platform.clock"],
]);

const CRYPTO_RANDOM: ReadonlySet<string> = new Set([
  "getRandomValues",
  "randomBytes",
  "randomFill",
  "randomFillSync",
  "randomInt",
  "randomUUID",
]);
const CRYPTO_FIX = "use platform.random (uuid, below, next)";

/**
 * Time, network, disk and chance come in as a `Platform` value: outside `platform/` folders no
 * library source touches Node's own.
 */
export function platformSeams(tree: SourceTree): Finding[] {
  const files = tree.librarySources().filter((file) => !/\/src\/(.+\/)?platform\//.test(file));
  return files.flatMap((file) => [
    ...bannedImports(tree.syntax(file), file),
    ...bannedUses(tree.syntax(file), file),
  ]);
}

function bannedImports(syntax: ts.SourceFile, file: string): Finding[] {
  return moduleReferences(syntax).flatMap(({ specifier, line }) => {
    const fix = BANNED_MODULES.get(specifier.replace(/^node:/, ""));
    return fix === undefined ? [] : [seamFinding(file, line, specifier, fix)];
  });
}

function bannedUses(syntax: ts.SourceFile, file: string): Finding[] {
  const findings: Finding[] = [];
  const cryptoNames = namesFromCrypto(syntax);
  walk(syntax, (node) => {
    const use = bannedUse(node, cryptoNames);
    if (use !== undefined) findings.push(seamFinding(file, lineOf(node), use.name, use.fix));
  });
  return findings;
}

interface Use {
  readonly name: string;
  readonly fix: string;
}

function bannedUse(node: ts.Node, cryptoNames: ReadonlySet<string>): Use | undefined {
  if (ts.isPropertyAccessExpression(node)) return bannedMember(node, cryptoNames);
  if (ts.isImportSpecifier(node)) return bannedCryptoImport(node);
  if (!ts.isIdentifier(node) || !isValueUse(node)) return undefined;
  const fix = BANNED_GLOBALS.get(node.text);
  return fix === undefined ? undefined : { name: node.text, fix };
}

function bannedMember(
  node: ts.PropertyAccessExpression,
  cryptoNames: ReadonlySet<string>,
): Use | undefined {
  const owner = ts.isIdentifier(node.expression) ? node.expression.text : "";
  const member = node.name.text;
  const name = `${owner}.${member}`;
  if (owner === "globalThis") {
    const fix = BANNED_GLOBALS.get(member);
    return fix === undefined ? undefined : { name, fix };
  }
  if (cryptoNames.has(owner) && CRYPTO_RANDOM.has(member)) return { name, fix: CRYPTO_FIX };
  const fix = BANNED_MEMBERS.get(name);
  return fix === undefined ? undefined : { name, fix };
}

function bannedCryptoImport(node: ts.ImportSpecifier): Use | undefined {
  const { moduleSpecifier } = node.parent.parent.parent as ts.ImportDeclaration;
  const name = (node.propertyName ?? node.name).text;
  if (!isCrypto(moduleSpecifier) || !CRYPTO_RANDOM.has(name)) return undefined;
  return { name, fix: CRYPTO_FIX };
}

/** What `node:crypto` and its `webcrypto` are called in this file, and the global of that name. */
function namesFromCrypto(syntax: ts.SourceFile): ReadonlySet<string> {
  const names = new Set(["crypto"]);
  for (const statement of syntax.statements) {
    if (!ts.isImportDeclaration(statement) || !isCrypto(statement.moduleSpecifier)) continue;
    const clause = statement.importClause;
    if (clause?.name !== undefined) names.add(clause.name.text);
    const bindings = clause?.namedBindings;
    if (bindings === undefined) continue;
    if (ts.isNamespaceImport(bindings)) names.add(bindings.name.text);
    else for (const { name } of bindings.elements) names.add(name.text);
  }
  return names;
}

function isCrypto(specifier: ts.Expression): boolean {
  return ts.isStringLiteral(specifier) && /^(node:)?crypto$/.test(specifier.text);
}

/** Neither a name being declared, nor a member of something, nor a type. */
function isValueUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isTypeNode(parent) || ts.isQualifiedName(parent)) return false;
  const { name, propertyName } = parent as { readonly name?: ts.Node; propertyName?: ts.Node };
  return name !== node && propertyName !== node;
}

function seamFinding(file: string, line: number, name: string, fix: string): Finding {
  return { file, line, message: `${name} outside a platform/ folder`, fix };
}
