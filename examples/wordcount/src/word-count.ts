/** The whole of it: finds the input, runs the job, and compares the result with another count. */
import { startIndependentCount } from "./independent-count.ts";
import { cutIntoSplits, findInput, totalBytes } from "./input.ts";
import { startLocalJob } from "./local-job.ts";
import { note } from "./note.ts";
import type { WordCountOptions } from "./options.ts";
import { formatBytes, StageProgress } from "./progress.ts";
import type { RunReport } from "./report.ts";
import { startSupervisedJob } from "./supervised-job.ts";
import { differencesBetween } from "./verdict.ts";

const INPUT_BYTES_MAX = 256 * 1024 * 1024;

/** Runs the whole job below `directory`. Rejects when it cannot be done, or with the signal's reason. */
export async function runWordCount(
  options: WordCountOptions,
  directory: string,
  signal: AbortSignal,
): Promise<RunReport> {
  const files = findInput(options.input, INPUT_BYTES_MAX);
  const independent = startIndependentCount(files);
  const splits = cutIntoSplits(files);
  const start = options.killDriver ? startSupervisedJob : startLocalJob;
  const job = await start(options, directory).catch((error: unknown) => {
    independent.stop();
    throw error;
  });
  try {
    note(
      `counting ${formatBytes(totalBytes(files))} in ${files.length} files: ` +
        `${splits.length} map tasks, ${options.partitions} partitions, ${job.cast}`,
    );
    const report = await Promise.race([job.run(splits), aborted(signal)]);
    const progress = new StageProgress("check", process.stderr);
    progress.update(0, 1, "waiting for the independent count");
    const expected = await Promise.race([independent.counts, aborted(signal)]);
    progress.end(`${expected.size} words counted independently`);
    return {
      ...report,
      driverRestarts: job.driverRestarts,
      inputFiles: files.length,
      inputBytes: totalBytes(files),
      differences: differencesBetween(report.counts, expected),
      keptFiles: options.keep ? directory : null,
    };
  } finally {
    independent.stop();
    await job.stop();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
