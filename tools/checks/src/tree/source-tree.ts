import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { readWorkspacePackage, type WorkspacePackage } from "./workspace-package.ts";

/** Made, fetched or recorded rather than written: nothing in these folders is judged. */
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([
  "node_modules",
  "dist",
  "gen",
  "coverage",
  "target",
  "vectors",
]);

/** In a linked work tree this is a file of git's that says where the repository lies. */
const GIT_FILE = ".git";

/** Hidden folders hold caches, except this one. */
const HIDDEN_FOLDERS_READ: ReadonlySet<string> = new Set([".ci"]);

const PACKAGE_GROUPS = ["packages", "tools", "examples"] as const;

/**
 * The files of a workspace, read and parsed at most once however many checks look at them.
 * Paths are relative to the root and use forward slashes.
 */
export class SourceTree {
  readonly root: string;
  /** Every file that people wrote, sorted. */
  readonly files: readonly string[];
  /** Every folder of `packages`, `tools` and `examples` that has a package.json. */
  readonly packages: readonly WorkspacePackage[];
  readonly #texts = new Map<string, string>();
  readonly #syntaxes = new Map<string, ts.SourceFile>();

  constructor(root: string) {
    this.root = root;
    this.files = listFiles(root, "").toSorted();
    this.packages = this.files
      .filter((file) => isManifest(file))
      .map((file) => readWorkspacePackage(file, this.text(file)));
  }

  /** TypeScript files of all packages, or of the given group: sources and tests. */
  typescriptFiles(group?: (typeof PACKAGE_GROUPS)[number]): readonly string[] {
    const prefix = group === undefined ? "" : `${group}/`;
    return this.files.filter((file) => file.startsWith(prefix) && /\.tsx?$/.test(file));
  }

  /** TypeScript files below `src` of the published packages. */
  librarySources(): readonly string[] {
    return this.typescriptFiles("packages").filter((file) => /^[^/]+\/[^/]+\/src\//.test(file));
  }

  /** The package that holds the file, if one does. */
  packageOf(file: string): WorkspacePackage | undefined {
    return this.packages.find((candidate) => file.startsWith(`${candidate.folder}/`));
  }

  text(file: string): string {
    let text = this.#texts.get(file);
    if (text === undefined) {
      text = readFileSync(join(this.root, file), "utf8");
      this.#texts.set(file, text);
    }
    return text;
  }

  syntax(file: string): ts.SourceFile {
    let syntax = this.#syntaxes.get(file);
    if (syntax === undefined) {
      syntax = ts.createSourceFile(file, this.text(file), ts.ScriptTarget.ESNext, true);
      this.#syntaxes.set(file, syntax);
    }
    return syntax;
  }
}

function listFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return isSkipped(entry.name) ? [] : listFiles(root, path);
    return entry.isFile() && path !== GIT_FILE ? [path] : [];
  });
}

function isSkipped(folder: string): boolean {
  if (SKIPPED_FOLDERS.has(folder)) return true;
  return folder.startsWith(".") && !HIDDEN_FOLDERS_READ.has(folder);
}

function isManifest(file: string): boolean {
  const [group, , name, ...rest] = file.split("/");
  return name === "package.json" && rest.length === 0 && PACKAGE_GROUPS.some((g) => g === group);
}
