import { dirname } from "node:path/posix";

/** What the checks need to know of one package.json of the workspace. */
export interface WorkspacePackage {
  /** `packages/transport` */
  readonly folder: string;
  /** `@bm/transport` */
  readonly name: string;
  /** Last part of the folder: `transport`. */
  readonly shortName: string;
  /** Path of the package.json. */
  readonly manifest: string;
  /** Installed for users: dependencies, peer and optional ones. */
  readonly dependencies: ReadonlySet<string>;
  /** Installed for work on the package only. */
  readonly devDependencies: ReadonlySet<string>;
  /** What others may import: the name, or the name with a subpath. */
  readonly entries: ReadonlySet<string>;
}

interface Manifest {
  readonly name?: string;
  readonly exports?: Record<string, unknown>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

/** Reads the text of a package.json. */
export function readWorkspacePackage(file: string, text: string): WorkspacePackage {
  const manifest = JSON.parse(text) as Manifest;
  const folder = dirname(file);
  const name = manifest.name ?? folder;
  return {
    folder,
    name,
    shortName: folder.slice(folder.lastIndexOf("/") + 1),
    manifest: file,
    dependencies: keysOf(
      manifest.dependencies,
      manifest.peerDependencies,
      manifest.optionalDependencies,
    ),
    devDependencies: keysOf(manifest.devDependencies),
    entries: new Set(Object.keys(manifest.exports ?? {}).map((path) => path.replace(/^\./, name))),
  };
}

function keysOf(...records: readonly (Record<string, string> | undefined)[]): Set<string> {
  return new Set(records.flatMap((record) => Object.keys(record ?? {})));
}
