import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CONF_KEYS, describeConfKeys } from "../../src/index.ts";

const PAGE = join(import.meta.dirname, "../../../../docs/configuration.md");

const INTRODUCTION = `# Configuration

Spark's own keys, as a \`TransportConf\` reads them: \`<m>\` is the module that it is made for, \`shuffle\`,
\`rpc\`, \`files\` or a name of your own. Made from the table in \`packages/transport/src/config\`; after a
change of that table run the tests of the package with \`UPDATE_DOCS=1\`.

`;

it("docs/configuration.md is the table of keys", () => {
  const page = `${INTRODUCTION}${describeConfKeys(CONF_KEYS).trim()}\n`;
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(PAGE, page);
  expect(readFileSync(PAGE, "utf8")).toBe(page);
});
