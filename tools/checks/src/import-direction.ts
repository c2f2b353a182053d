import type { Finding } from "./finding.ts";
import { type ModuleReference, moduleReferences } from "./tree/module-reference.ts";
import type { SourceTree } from "./tree/source-tree.ts";
import type { WorkspacePackage } from "./tree/workspace-package.ts";

const SCOPE = "@bm/";
const LIBRARIES = ["block", "codec", "transport", "rpc", "shuffle", "master", "storage"];

/** The arrows between the packages: who may import whom. Nothing else is allowed. */
const MAY_IMPORT: ReadonlyMap<string, readonly string[]> = new Map([
  ["block", []],
  ["codec", []],
  ["transport", []],
  ["rpc", ["transport"]],
  ["shuffle", ["transport", "block", "codec"]],
  ["master", ["rpc", "block", "transport"]],
  ["storage", ["master", "shuffle", "codec", "block", "rpc", "transport"]],
  ["dashboard", []],
  ["cli", [...LIBRARIES, "dashboard"]],
]);

/** Subpaths that hold doubles for tests; what users run must not load them. */
const TESTING_ENTRY = /\/testing$/;

/**
 * Packages import each other only along the arrows above, only through what the other's `exports`
 * offers, and only when package.json says so.
 */
export function importDirection(tree: SourceTree): Finding[] {
  return [
    ...tree.packages.flatMap((owner) => judgeManifest(tree, owner)),
    ...tree.typescriptFiles().flatMap((file) => judgeFile(tree, file)),
  ];
}

function judgeManifest(tree: SourceTree, owner: WorkspacePackage): Finding[] {
  if (!owner.folder.startsWith("packages/")) return [];
  const allowed = MAY_IMPORT.get(owner.shortName);
  if (allowed === undefined) {
    const message = `package ${owner.name} has no place in the import diagram`;
    const fix = "add it to docs/architecture.md and to the table of this check";
    return [{ file: owner.manifest, line: 1, message, fix }];
  }
  const used = importedPackages(tree, owner);
  return [...owner.dependencies]
    .filter((name) => name.startsWith(SCOPE))
    .flatMap((name) => {
      const place = { file: owner.manifest, line: lineOfText(tree.text(owner.manifest), name) };
      if (!allowed.includes(name.slice(SCOPE.length))) return [wrongArrow(place, owner, name)];
      if (used.has(name)) return [];
      const message = `${name} is declared but no file of ${owner.folder} imports it`;
      return [{ ...place, message, fix: "remove it from dependencies" }];
    });
}

function importedPackages(tree: SourceTree, owner: WorkspacePackage): Set<string> {
  const files = tree.typescriptFiles().filter((file) => file.startsWith(`${owner.folder}/`));
  const references = files.flatMap((file) => moduleReferences(tree.syntax(file)));
  return new Set(references.map((reference) => packageNameOf(reference.specifier)));
}

function judgeFile(tree: SourceTree, file: string): Finding[] {
  const owner = tree.packageOf(file);
  if (owner === undefined) return [];
  return moduleReferences(tree.syntax(file)).flatMap((reference) => {
    const place = { file, line: reference.line };
    const { specifier } = reference;
    if (specifier.startsWith(".")) return judgeRelative(place, owner, specifier);
    if (specifier.startsWith("node:")) return [];
    const undeclared = judgeDeclared(place, owner, reference);
    if (!specifier.startsWith(SCOPE)) return undeclared;
    return [...undeclared, ...judgeWorkspaceImport(tree, place, owner, specifier)];
  });
}

type Place = Pick<Finding, "file" | "line">;

function judgeRelative(place: Place, owner: WorkspacePackage, specifier: string): Finding[] {
  const base = `file:///${place.file}`;
  const target = new URL(specifier, base).pathname.slice(1);
  if (target.startsWith(`${owner.folder}/`) || !target.startsWith("packages/")) return [];
  const message = `relative import leaves ${owner.folder}: ${specifier}`;
  return [{ ...place, message, fix: "import the other package by its name" }];
}

function judgeWorkspaceImport(
  tree: SourceTree,
  place: Place,
  owner: WorkspacePackage,
  specifier: string,
): Finding[] {
  const name = packageNameOf(specifier);
  const findings: Finding[] = [];
  const allowed = MAY_IMPORT.get(owner.shortName) ?? [];
  const isLibrary = owner.folder.startsWith("packages/");
  const isOwn = name === owner.name;
  if (isLibrary && !isOwn && !allowed.includes(name.slice(SCOPE.length))) {
    findings.push(wrongArrow(place, owner, name));
  }
  const target = tree.packages.find((candidate) => candidate.name === name);
  if (target !== undefined && !target.entries.has(specifier)) {
    const fix = `import it from ${name}, or add a public subpath to its exports`;
    findings.push({ ...place, message: `${specifier} is not a public entry of ${name}`, fix });
  }
  const isSource = place.file.startsWith(`${owner.folder}/src/`);
  if (isLibrary && isSource && TESTING_ENTRY.test(specifier)) {
    const fix = "import test doubles from tests only";
    findings.push({ ...place, message: `${specifier} in code that users run`, fix });
  }
  return findings;
}

/** Tests may also use what the workspace root installs (vitest, fast-check). */
function judgeDeclared(
  place: Place,
  owner: WorkspacePackage,
  reference: ModuleReference,
): Finding[] {
  const name = packageNameOf(reference.specifier);
  const isSource = place.file.startsWith(`${owner.folder}/src/`);
  const isWorkspaceName = name.startsWith(SCOPE);
  if (name === owner.name || owner.dependencies.has(name)) return [];
  if (!isSource && (!isWorkspaceName || owner.devDependencies.has(name))) return [];
  const message = `${name} is imported but not in the dependencies of ${owner.manifest}`;
  return [{ ...place, message, fix: "declare it, or do without it" }];
}

function wrongArrow(place: Place, owner: WorkspacePackage, name: string): Finding {
  const allowed = (MAY_IMPORT.get(owner.shortName) ?? []).map((short) => SCOPE + short);
  const fix = `${owner.name} may import ${allowed.join(", ") || "no package of this workspace"}`;
  return { ...place, message: `${owner.name} must not import ${name}`, fix };
}

function packageNameOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

function lineOfText(text: string, part: string): number {
  return text.slice(0, Math.max(0, text.lastIndexOf(`"${part}"`))).split("\n").length;
}
