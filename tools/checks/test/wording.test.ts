import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { commitMessages } from "../src/commit-messages.ts";
import { SourceTree } from "../src/tree/source-tree.ts";
import { wording } from "../src/wording.ts";
import { plantFiles, plantTree } from "./planted-tree.ts";

/** Joined here, because this file is judged too. */
const MACHINE_PATH = ["", "home", "ann", "bm"].join("/");
const PRIVATE_HOST = ["npm", "lan"].join(".");

function messages(text: string, file = "docs/a.md"): string[] {
  return wording(plantTree({ [file]: text })).map(({ line, message }) => `${line} ${message}`);
}

describe("wording", () => {
  it.each(["home", "work", "root", "tmp", "Users"])("refuses a path below /%s", (folder) => {
    const path = ["", folder, "bm"].join("/");
    expect(messages(`First.\nSee ${path} there.\n`)).toEqual([
      expect.stringMatching(/^2 path of one machine: /),
    ]);
    expect(messages(`f("${path}");\n`, "packages/block/test/a.test.ts")).toHaveLength(1);
  });

  it("does not judge git's own file in a linked work tree", () => {
    expect(messages(`gitdir: ${MACHINE_PATH}/.git/worktrees/a\n`, ".git")).toEqual([]);
    expect(messages(`gitdir: ${MACHINE_PATH}/.git/worktrees/a\n`, "docs/.git")).toHaveLength(1);
  });

  it("refuses a path that leads out of the repository's own files", () => {
    expect(messages(`See ${["..", "shared", "a.md"].join("/")}.\n`)).toHaveLength(1);
  });

  it("refuses hosts that only one network knows", () => {
    expect(messages(`from https://${PRIVATE_HOST}/x\n`)).toEqual([
      `1 private host: ${PRIVATE_HOST}`,
    ]);
    expect(messages(`from http://${["10", "1", "2", "3"].join(".")}:80/\n`)).toHaveLength(1);
    expect(messages(`tarball: ${PRIVATE_HOST}\n`, "pnpm-lock.yaml")).toHaveLength(1);
  });

  it("passes neutral paths, public hosts, reserved names and loopback", () => {
    const text = `
      /data/blocks, $HOME/work, ./work/x, a/home/b, https://a.example/home/x, /tmp
      https://github.com/a, http://localhost:80, http://127.0.0.1:80, spark://driver:7077
      host-a.example, org.apache.spark.internal, 10.0.0.1:7337
    `;
    expect(messages(text)).toEqual([]);
  });

  it("leaves out recorded values", () => {
    expect(messages(`"${MACHINE_PATH}"`, "packages/block/test/vectors/a.json")).toEqual([]);
  });
});

describe("commit messages", () => {
  function treeWithCommit(message: string): SourceTree {
    const root = plantFiles({ "a.txt": "a\n" });
    const git = (...args: string[]): void => {
      const who = ["-c", "user.name=A", "-c", "user.email=a@a.example"];
      execFileSync("git", [...who, ...args], { cwd: root, stdio: "ignore" });
    };
    git("init");
    git("add", ".");
    git("commit", "--no-gpg-sign", "-m", message);
    return new SourceTree(root);
  }

  it("refuses in the history what files may not say", () => {
    const [finding, ...more] = commitMessages(treeWithCommit(`Subject\n\nSee ${MACHINE_PATH}.\n`));
    expect(finding).toMatchObject({ line: 3, message: expect.stringContaining("one machine") });
    expect(finding?.file).toMatch(/^commit [0-9a-f]{7,}$/);
    expect(more).toEqual([]);
  });

  it("refuses a subject that does not fit on a line", () => {
    expect(commitMessages(treeWithCommit("x".repeat(101)))).toHaveLength(1);
  });

  it("passes a plain message, and a tree without history", () => {
    expect(commitMessages(treeWithCommit("Subject\n\nMotivation, change, result.\n"))).toEqual([]);
    expect(commitMessages(plantTree({ "a.txt": "a\n" }))).toEqual([]);
  });
});
