#!/usr/bin/env node
/** The word count as a command. Exit codes: 0 right, 1 wrong, 2 could not run, 128+n by a signal. */
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { parseOptions, type WordCountOptions } from "./options.ts";
import { jsonReport, textReport } from "./report.ts";
import { explainFailure } from "./user-error.ts";
import { runWordCount } from "./word-count.ts";

process.exitCode = await main();

async function main(): Promise<number> {
  let options: WordCountOptions | null;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    return fail(error as Error);
  }
  return options === null ? 0 : countWords(options);
}

async function countWords(options: WordCountOptions): Promise<number> {
  const stop = new AbortController();
  let signalCode = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signalCode = 128 + constants.signals[signal];
    stop.abort(new Error(`stopped by ${signal}`));
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const directory = mkdtempSync(join(tmpdir(), "bm-wordcount-"));
  try {
    const report = await runWordCount(options, directory, stop.signal);
    console.log(options.json ? jsonReport(report) : textReport(report));
    return report.differences.length === 0 ? 0 : 1;
  } catch (error) {
    return signalCode === 0 ? fail(error as Error) : signalCode;
  } finally {
    if (!options.keep) rmSync(directory, { recursive: true, force: true });
  }
}

function fail(error: Error): number {
  console.error(`wordcount: ${explainFailure(error)}`);
  return 2;
}
