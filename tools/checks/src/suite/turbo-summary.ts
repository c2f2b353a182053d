/** How one task of one package ended. */
export interface TaskOutcome {
  /** `build`, `test`, ... */
  readonly task: string;
  /** Name of the package; `//` is the root of the workspace. */
  readonly package: string;
  /** Folder of the package from the root; empty for the root. */
  readonly folder: string;
  readonly state: "passed" | "failed";
  /** The result came from the cache. */
  readonly isCached: boolean;
}

interface TurboSummary {
  readonly tasks: readonly {
    readonly task: string;
    readonly package: string;
    readonly directory: string;
    readonly execution?: { readonly exitCode?: number; readonly endTime?: number };
    readonly cache?: { readonly status: string };
  }[];
}

/** Reads what `turbo run --summarize` writes. What ended first comes first. */
export function readTurboSummary(json: string): readonly TaskOutcome[] {
  const { tasks } = JSON.parse(json) as TurboSummary;
  const inTime = tasks.toSorted((a, b) => endOf(a) - endOf(b));
  return inTime.map((task) => ({
    task: task.task,
    package: task.package,
    folder: task.directory,
    // A task that never ended has no exit code.
    state: task.execution?.exitCode === 0 ? "passed" : "failed",
    isCached: task.cache?.status === "HIT",
  }));
}

function endOf(task: TurboSummary["tasks"][number]): number {
  return task.execution?.endTime ?? Number.POSITIVE_INFINITY;
}
