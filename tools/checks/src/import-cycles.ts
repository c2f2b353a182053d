import { posix } from "node:path";
import type { Finding } from "./finding.ts";
import { moduleReferences } from "./tree/module-reference.ts";
import type { SourceTree } from "./tree/source-tree.ts";

interface Edge {
  readonly to: string;
  readonly line: number;
}

type Graph = ReadonlyMap<string, readonly Edge[]>;

/**
 * No file imports itself by way of others. `import type` is erased and `import()` runs later, so
 * neither counts. Each cycle is reported once, at the import that closes it.
 */
export function importCycles(tree: SourceTree): Finding[] {
  const graph: Graph = new Map(tree.typescriptFiles().map((file) => [file, edgesOf(tree, file)]));
  const findings: Finding[] = [];
  const done = new Set<string>();
  for (const start of graph.keys()) visit(graph, start, [], done, findings);
  return findings;
}

function edgesOf(tree: SourceTree, file: string): Edge[] {
  return moduleReferences(tree.syntax(file))
    .filter(({ kind, specifier }) => kind === "value" && specifier.startsWith("."))
    .map(({ specifier, line }) => ({ to: posix.join(posix.dirname(file), specifier), line }));
}

/** Depth first; an edge back to a file on the path closes a cycle. */
function visit(
  graph: Graph,
  file: string,
  path: readonly string[],
  done: Set<string>,
  findings: Finding[],
): void {
  if (done.has(file)) return;
  const here = [...path, file];
  for (const { to, line } of graph.get(file) ?? []) {
    const start = here.indexOf(to);
    if (start === -1) {
      visit(graph, to, here, done, findings);
    } else {
      findings.push(cycleFinding(file, line, [...here.slice(start), to]));
    }
  }
  done.add(file);
}

function cycleFinding(file: string, line: number, cycle: readonly string[]): Finding {
  const message = `import cycle: ${cycle.join(" > ")}`;
  return { file, line, message, fix: "move what both need into a third file" };
}
