/** The page about the messages has a row for each of them, with a test that exists. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const testFolder = new URL("../", import.meta.url);
const protocolFolder = new URL("../../src/protocol/", import.meta.url);
const page = readFileSync(new URL("../../../../docs/master-messages.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| (\w+) \|.*\| ([\w/.-]+\.test\.ts): (.+) \|$/gm)].map(
  ([, message = "", file = "", title = ""]) => ({ message, file, title }),
);

describe("the page about the messages", () => {
  it("has a row for each message of the protocol, and no others", () => {
    const sources = readdirSync(protocolFolder).map((name) =>
      readFileSync(new URL(name, protocolFolder), "utf8"),
    );
    const types = sources.flatMap((source) =>
      [...source.matchAll(/\btype: "([A-Z]\w+)"/g)].map(([, type = ""]) => type),
    );
    expect(types.length).toBeGreaterThan(40);
    expect(rows.map(({ message }) => message).toSorted()).toEqual(types.toSorted());
  });

  it("names tests that exist", () => {
    for (const { message, file, title } of rows) {
      const source = readFileSync(new URL(file, testFolder), "utf8");
      expect(source, `${message}: ${file}`).toContain(`it("${title}", `);
    }
  });
});
