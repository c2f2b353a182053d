import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { codeSize } from "./code-size.ts";
import { commitMessages } from "./commit-messages.ts";
import { docLinks } from "./doc-links.ts";
import { docstrings } from "./docstrings.ts";
import { compareFindings, type Finding, formatFinding } from "./finding.ts";
import { importCycles } from "./import-cycles.ts";
import { importDirection } from "./import-direction.ts";
import { leftovers } from "./leftovers.ts";
import { platformSeams } from "./platform-seams.ts";
import { readmeExamples } from "./readme-examples.ts";
import { readmeSections } from "./readme-sections.ts";
import type { CheckResult, ChecksReport } from "./suite/checks-report.ts";
import { SourceTree } from "./tree/source-tree.ts";
import { wording } from "./wording.ts";

type Check = (tree: SourceTree) => Finding[] | Promise<Finding[]>;

/** What `npm run checks` runs, in this order. A new check is a file and a line here. */
const CHECKS: Readonly<Record<string, Check>> = {
  "import-direction": importDirection,
  "import-cycles": importCycles,
  "platform-seams": platformSeams,
  "code-size": codeSize,
  docstrings,
  "doc-links": docLinks,
  leftovers,
  wording,
  "readme-sections": readmeSections,
  "readme-examples": readmeExamples,
  "commit-messages": commitMessages,
};

const { values } = parseArgs({
  options: {
    root: { type: "string", default: join(import.meta.dirname, "../../..") },
    /** Names of checks, separated by commas. */
    only: { type: "string" },
    skip: { type: "string" },
    /** Writes the outcome as JSON to this file. */
    report: { type: "string" },
  },
});

const names = selectNames(values.only?.split(","), values.skip?.split(","));
const tree = new SourceTree(resolve(values.root));
const results: CheckResult[] = [];
for (const name of names) results.push(await runCheck(name));
if (values.report !== undefined) writeReport(resolve(values.root, values.report), { results });
process.exitCode = results.some(({ findings }) => findings.length > 0) ? 1 : 0;

function selectNames(only: string[] | undefined, skip: string[] = []): string[] {
  const known = Object.keys(CHECKS);
  const unknown = [...(only ?? []), ...skip].find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`no check is called ${unknown}; there are: ${known.join(", ")}`);
    process.exit(2);
  }
  return (only ?? known).filter((name) => !skip.includes(name));
}

async function runCheck(name: string): Promise<CheckResult> {
  const findings = (await CHECKS[name]?.(tree)) ?? [];
  const lines = findings.toSorted(compareFindings).map(formatFinding);
  if (lines.length > 0) console.error(`${name}: ${lines.length} found\n  ${lines.join("\n  ")}`);
  return { name, findings };
}

function writeReport(file: string, report: ChecksReport): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report)}\n`);
}
