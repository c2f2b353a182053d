import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Finding } from "./finding.ts";
import { readMarkdown } from "./tree/markdown.ts";
import { runBounded } from "./tree/run-bounded.ts";
import type { SourceTree } from "./tree/source-tree.ts";

const RUN_LIMIT_MS = 60_000;
const COMPILE_LIMIT_MS = 60_000;
const RUNS_AT_ONCE = 2;
const README = /^(?:(?:packages|examples|tools)\/[^/]+\/)?README\.md$/;
const SOURCE_CONDITION = "--conditions=@bm/source";

/** The compiler that checks the workspace. It has no API, so it runs as a program. */
const COMPILER = join(import.meta.dirname, "../../../node_modules/typescript7/bin/tsc");

/** A block of a README as a file of its own. Blank lines above keep the README's line numbers. */
interface Example {
  readonly readme: string;
  readonly line: number;
  readonly code: string;
  readonly isRun: boolean;
  /** The package whose dependencies the example sees. */
  readonly folder: string;
  /** Where it is written for the check, from the root. */
  readonly file: string;
}

/**
 * The ```ts blocks of every README compile under the workspace's flags and exit with 0 within the
 * time limit, against the sources. Blocks marked ```ts no-run are only compiled.
 */
export async function readmeExamples(tree: SourceTree): Promise<Finding[]> {
  const { examples, findings } = collectExamples(tree);
  if (examples.length === 0) return findings;
  const folders = [...new Set(examples.map(({ folder }) => join(tree.root, folder, scratch)))];
  const project = join(tree.root, scratch);
  try {
    for (const folder of [project, ...folders]) mkdirSync(folder, { recursive: true });
    for (const { file, line, code } of examples) {
      writeFileSync(join(tree.root, file), "\n".repeat(line - 1) + code);
    }
    const compiled = await compile(tree.root, project, examples);
    return [...findings, ...compiled, ...(await runAll(tree.root, examples, compiled))];
  } finally {
    for (const folder of [project, ...folders]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Hidden from git; the process id keeps two runs in one tree apart. */
const scratch = `.readme-examples-${process.pid}`;

function collectExamples(tree: SourceTree): { examples: Example[]; findings: Finding[] } {
  const examples: Example[] = [];
  const findings: Finding[] = [];
  for (const readme of tree.files.filter((file) => README.test(file))) {
    for (const { info, code, line } of readMarkdown(tree.text(readme)).codes) {
      const [language, mode] = info.split(/\s+/);
      if (language !== "ts" && language !== "typescript") continue;
      const folder = hostOf(tree, readme, code);
      if (folder === undefined) {
        const fix = "import only what that package declares in its dependencies";
        const message = "the example imports packages that no one package depends on";
        findings.push({ file: readme, line, message, fix });
        continue;
      }
      const file = `${folder}/${scratch}/${readme.replaceAll("/", "-")}-${line}.ts`;
      examples.push({ readme, line, code, isRun: mode !== "no-run", folder, file });
    }
  }
  return { examples, findings };
}

/** The README's own package; for the root, the first one from which every import resolves. */
function hostOf(tree: SourceTree, readme: string, code: string): string | undefined {
  const own = tree.packageOf(readme);
  if (own !== undefined) return own.folder;
  const names = [...code.matchAll(/(?:from|import) "(@bm\/[\w-]+)/g)].map(
    (match) => match[1] ?? "",
  );
  return tree.packages.find((candidate) =>
    names.every((name) => name === candidate.name || candidate.dependencies.has(name)),
  )?.folder;
}

async function compile(
  root: string,
  project: string,
  examples: readonly Example[],
): Promise<Finding[]> {
  const config = join(project, "tsconfig.json");
  const files = examples.map(({ file }) => join(root, file));
  // Declarations are for exports; an example has none.
  const compilerOptions = { declaration: false, isolatedDeclarations: false };
  writeFileSync(
    config,
    JSON.stringify({ extends: "../tsconfig.base.json", compilerOptions, files }),
  );
  const { output, exitCode } = await runBounded(
    process.execPath,
    [COMPILER, "--project", config, "--pretty", "false"],
    { cwd: root, limitMs: COMPILE_LIMIT_MS },
  );
  const findings = output.split("\n").flatMap((line) => compileFinding(examples, line));
  if (exitCode === null) throw new Error(`the compiler did not end: ${output}`);
  return findings;
}

/** Faults in the sources themselves belong to the type check, not to this one. */
function compileFinding(examples: readonly Example[], output: string): Finding[] {
  const match = /^(.+?)\((\d+),\d+\): error (TS\d+: .*)$/.exec(output);
  const example = examples.find(({ file }) => match?.[1]?.endsWith(file));
  if (match === null || example === undefined) return [];
  const [, , line, message] = match;
  const fix = "make the example compile as a user would paste it";
  return [{ file: example.readme, line: Number(line), message: `example: ${message}`, fix }];
}

/** What does not compile is not run. */
async function runAll(
  root: string,
  examples: readonly Example[],
  compiled: readonly Finding[],
): Promise<Finding[]> {
  const waiting = examples.filter(
    ({ isRun, readme, line, code }) =>
      isRun && !compiled.some((fault) => fault.file === readme && isWithin(fault.line, line, code)),
  );
  const findings: Finding[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      findings.push(...(await runExample(root, next)));
    }
  };
  await Promise.all(Array.from({ length: RUNS_AT_ONCE }, work));
  return findings;
}

function isWithin(line: number, start: number, code: string): boolean {
  return line >= start && line < start + code.split("\n").length;
}

async function runExample(root: string, example: Example): Promise<Finding[]> {
  const { readme, line } = example;
  const { exitCode, output } = await runBounded(
    process.execPath,
    [SOURCE_CONDITION, join(root, example.file)],
    { cwd: join(root, example.folder), limitMs: RUN_LIMIT_MS },
  );
  if (exitCode === 0) return [];
  const what =
    exitCode === null ? `did not end in ${RUN_LIMIT_MS / 1000} s` : `exited with ${exitCode}`;
  const tail = output.trim().replaceAll(example.file, readme).split("\n").slice(-12).join("\n    ");
  const fix = "make it run by itself: port 0, temporary folders, everything closed at its end";
  return [{ file: readme, line, message: `example ${what}\n    ${tail}\n   `, fix }];
}
