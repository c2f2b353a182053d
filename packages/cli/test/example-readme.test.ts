/** What examples/spark/README.md tells people to type and to set is what there is. */
import { readFileSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { killAll, startServe } from "./started-serve.ts";

const ROOT = join(import.meta.dirname, "../../..");
const readme = readFileSync(join(ROOT, "examples/spark/README.md"), "utf8");
const clusterSuite = readFileSync(
  join(ROOT, "tools/interop/src/cluster/application-conf.ts"),
  "utf8",
);

afterEach(killAll);

/** Lines of the code blocks in a language. */
function codeLines(language: string): string[] {
  const blocks = readme.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "gs"));
  return [...blocks].flatMap(([, code = ""]) => code.split("\n")).filter((line) => line !== "");
}

describe("the example of a Spark cluster", () => {
  const commands = codeLines("sh");

  it("starts a service with the command that it shows, which has the figures that it names", async () => {
    const command = commands.find((line) => line.startsWith("bm serve")) ?? "";
    const root = await realpath(await mkdtemp(join(tmpdir(), "example-")));
    try {
      // Other places, the same words.
      const words = command.split(" ").slice(2);
      const args = words.map((word) =>
        word.startsWith("/") ? root : /^[0-9]+$/.test(word) ? "0" : word,
      );
      const { http, printed } = await startServe(...args);
      expect(printed()).toContain("bm serve: external shuffle service");
      const metrics = await (await fetch(`http://${http}/metrics`)).text();
      const curl = commands.find((line) => line.startsWith("curl")) ?? "";
      const figures = /'(.*)'/.exec(curl)?.[1]?.split("|") ?? [];
      expect(figures).toHaveLength(2);
      for (const figure of figures) expect(metrics).toContain(figure);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it("takes five lines at most: two for the service, three for the applications", () => {
    const [, section = ""] = /## In five lines\n(.*?)\n## /s.exec(readme) ?? [];
    const blocks = [...section.matchAll(/```\w+\n(.*?)```/gs)].map(([, code = ""]) => code.trim());
    expect(blocks.join("\n").split("\n").length).toBeLessThanOrEqual(5);
  });

  it("has applications set what the cluster suite sets", () => {
    const settings = codeLines("properties").map((line) => line.split(/\s+/));
    expect(settings).toHaveLength(3);
    for (const [key = "", value = ""] of settings) {
      expect(clusterSuite).toContain(`"${key}"`);
      if (value === "true") expect(clusterSuite).toContain(`"${key}": "true"`);
    }
  });
});
