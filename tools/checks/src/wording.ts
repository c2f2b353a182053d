import type { Finding } from "./finding.ts";
import type { SourceTree } from "./tree/source-tree.ts";
import { wordingFaults } from "./tree/wording-faults.ts";

/** Nothing in code or docs depends on the machine on which it was written. */
export function wording(tree: SourceTree): Finding[] {
  return tree.files.flatMap((file) =>
    wordingFaults(tree.text(file)).map((fault) => ({ file, ...fault })),
  );
}
