import { resolve } from "node:path";
import { cleanOrphans, describeOrphan, nodeDirectoryTree, type Orphan } from "@bm/shuffle";
import { nodePlatform, parseByteSize, parseDurationMs } from "@bm/transport";
import { CliError } from "../cli-error.ts";
import type { CommandOutput } from "../serve/run-serve.ts";
import { databasesOfSpark, registeredDirectories } from "./registered-directories.ts";

/** As the command line gives them. */
export interface CleanFlags {
  readonly dir: readonly string[];
  readonly olderThan: string;
  readonly keep: string;
  readonly delete: boolean;
  readonly db?: readonly string[] | undefined;
  readonly service?: string | undefined;
}

/**
 * Prints what nobody owns any more under the directories, and deletes it when that is asked for.
 * @throws CliError for a flag, when it cannot be known who owns what, and when something could not be
 *   deleted (rejects).
 */
export async function runClean(flags: CleanFlags, output: CommandOutput): Promise<void> {
  const { clock, files } = nodePlatform();
  const dirs = flags.dir.map((dir) => resolve(dir));
  const policy = {
    ageMs: read("--older-than", flags.olderThan, (text) => parseDurationMs(text, "s")),
    keepBytes: read("--keep", flags.keep, parseByteSize),
    isDeleting: flags.delete,
  };
  for (const dir of dirs) {
    const stat = await files.stat(dir);
    if (stat?.isDirectory !== true) throw new CliError(`--dir ${dir}: there is no such directory`);
  }
  await refuseSpark(flags, dirs);
  const sources = { dirs, service: flags.service ?? null, databases: flags.db ?? [], files, clock };
  const orphans: Orphan[] = [];
  await cleanOrphans({
    tree: nodeDirectoryTree,
    roots: dirs,
    ownedDirectories: () => ownedBy(sources),
    nowMs: () => clock.wallTimeMs(),
    policy,
    onOrphan: (orphan) => {
      orphans.push(orphan);
      output.out(`${describeOrphan(orphan)}\n`);
    },
    onUnreadable: (path, error) => {
      output.err(`cannot look into ${path}: ${String(error)}\n`);
    },
  });
  output.out(`${summaryOf(orphans)}\n`);
  const failed = orphans.filter(({ outcome }) => outcome === "failed").length;
  if (failed > 0) throw new CliError(`${failed} orphans could not be deleted`);
}

async function* ownedBy(
  sources: Parameters<typeof registeredDirectories>[0],
): AsyncGenerator<string> {
  yield* await registeredDirectories(sources);
}

/** Whoever runs Spark's own service beside ours would lose what its executors left. */
async function refuseSpark(flags: CleanFlags, dirs: readonly string[]): Promise<void> {
  const [found] = await databasesOfSpark(dirs, nodePlatform().files);
  if (found === undefined || !flags.delete || flags.db?.some((path) => resolve(path) === found)) {
    return;
  }
  throw new CliError(
    `${found} is of Spark's own service, whose executors cannot be known here; ` +
      "nothing is deleted while it is there",
  );
}

function summaryOf(orphans: readonly Orphan[]): string {
  const parts = (["found", "deleted", "kept", "spared", "failed"] as const).flatMap((outcome) => {
    const some = orphans.filter((orphan) => orphan.outcome === outcome);
    if (some.length === 0) return [];
    const bytes = some.reduce((sum, orphan) => sum + orphan.bytes, 0);
    const what = outcome === "found" ? "would be deleted with --delete" : outcome;
    return [`${some.length} ${what} (${bytes} bytes)`];
  });
  return parts.length === 0 ? "no orphans" : `orphans: ${parts.join(", ")}`;
}

function read(flag: string, text: string, parse: (text: string) => number): number {
  try {
    const value = parse(text);
    if (value >= 0) return value;
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    throw new CliError(`${flag} ${text}: ${reason}`, { cause: error });
  }
  throw new CliError(`${flag} ${text}: it cannot be negative`);
}
