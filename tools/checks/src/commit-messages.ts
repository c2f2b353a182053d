import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "./finding.ts";
import type { SourceTree } from "./tree/source-tree.ts";
import { wordingFaults } from "./tree/wording-faults.ts";

const SUBJECT_COLUMNS_MAX = 100;
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** What the files may not say, the history may not say either. A tree without git passes. */
export function commitMessages(tree: SourceTree): Finding[] {
  if (!existsSync(join(tree.root, ".git"))) return [];
  const log = execFileSync("git", ["log", "-z", "--format=%h%n%B"], {
    cwd: tree.root,
    encoding: "utf8",
    maxBuffer: MESSAGE_BYTES_MAX,
  });
  return log.split("\0").filter(Boolean).flatMap(judgeMessage);
}

function judgeMessage(entry: string): Finding[] {
  const [hash = "", subject = "", ...body] = entry.split("\n");
  const file = `commit ${hash}`;
  const faults = wordingFaults([subject, ...body].join("\n"));
  if (subject.length > SUBJECT_COLUMNS_MAX) {
    const message = `subject of ${subject.length} columns, limit ${SUBJECT_COLUMNS_MAX}`;
    faults.push({ line: 1, message, fix: "move the detail to the body" });
  }
  return faults.map((fault) => ({ file, ...fault }));
}
