import { describe, expect, it } from "vitest";
import { platformSeams } from "../src/platform-seams.ts";
import { plantTree } from "./planted-tree.ts";

function faults(code: string, file = "packages/block/src/a.ts"): string[] {
  return platformSeams(plantTree({ [file]: code })).map(
    ({ line, message }) => `${line} ${message}`,
  );
}

describe("platform seams", () => {
  it.each([
    ['import { connect } from "node:net";', "node:net"],
    ['import dgram from "dgram";', "dgram"],
    ['import type { FileHandle } from "node:fs/promises";', "node:fs/promises"],
    ['await import("node:fs");', "node:fs"],
    ['export { setTimeout } from "node:timers/promises";', "node:timers/promises"],
    ["setTimeout(run, 5);", "setTimeout"],
    ["const timers = { setInterval };", "setInterval"],
    ["globalThis.setImmediate(run);", "globalThis.setImmediate"],
    ["const now = Date.now();", "Date"],
    ["const now = new Date();", "Date"],
    ["const now = performance.now();", "performance"],
    ["const now = process.hrtime.bigint();", "process.hrtime"],
    ["const signal = AbortSignal.timeout(5);", "AbortSignal.timeout"],
    ["const chance = Math.random();", "Math.random"],
    ["const id = crypto.randomUUID();", "crypto.randomUUID"],
    ['import { randomBytes as bytes } from "node:crypto";', "randomBytes"],
    ['import * as c from "node:crypto";\nc.randomInt(5);', "c.randomInt"],
  ])("refuses %s", (code, name) => {
    const [fault, ...more] = faults(code);
    expect(fault).toMatch(new RegExp(`^[12] ${name} outside a platform/ folder$`));
    expect(more).toEqual([]);
  });

  it("names the replacement", () => {
    const [finding] = platformSeams(plantTree({ "packages/block/src/a.ts": "Math.random();\n" }));
    expect(finding?.fix).toContain("platform.random");
  });

  it("passes what only looks alike", () => {
    const code = `
      import { createHash } from "node:crypto";
      import { join } from "node:path";
      interface Clock { setTimeout(): void; Date: string }
      declare const clock: Clock;
      function later({ setTimeout: timer }: Clock, at: Date): void { clock.setTimeout(); }
      class Own { performance = 1; setImmediate(): void {} }
      const text = "Date.now() and Math.random()"; // setTimeout in a comment
      Math.floor(1); platform.random.next();
    `;
    expect(faults(code)).toEqual([]);
  });

  it("passes platform folders, tests and other groups", () => {
    expect(faults("setTimeout(run, 5);", "packages/transport/src/platform/clock.ts")).toEqual([]);
    expect(faults("setTimeout(run, 5);", "packages/transport/test/a.test.ts")).toEqual([]);
    expect(faults("setTimeout(run, 5);", "examples/wordcount/src/main.ts")).toEqual([]);
    expect(faults("setTimeout(run, 5);", "packages/x/src/no-platform/a.ts")).toHaveLength(1);
  });
});
