import { Driver } from "./driver.ts";
import { ExecutorProcesses, executorIds } from "./executor-processes.ts";
import type { Job } from "./job.ts";
import { note } from "./note.ts";
import type { WordCountOptions } from "./options.ts";

/** Starts a job whose driver is this process. Resolves when all executors are ready. */
export async function startLocalJob(options: WordCountOptions, directory: string): Promise<Job> {
  const driver = await Driver.start({
    options,
    directory,
    masterStateDir: null,
    onMidShuffle: () => killOneIfAsked(),
  });
  const processes = new ExecutorProcesses({
    driver: driver.address,
    directory,
    onLost: (executorId, how) => driver.executorLost(executorId, how),
  });
  let isKilled = false;
  /** The one with the most map outputs, so that there is something to compute again. */
  const killOneIfAsked = (): void => {
    const victim = driver.busiest();
    if (!options.killOne || isKilled || victim === null) return;
    isKilled = true;
    note(`killing ${victim.executorId}, which holds ${victim.outputs} map outputs`);
    processes.kill(victim.executorId);
  };
  const stop = async (): Promise<void> => {
    await processes.stop();
    await driver.stop();
  };
  processes.start(executorIds(options.executors));
  await driver.ready().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { cast: driver.cast, driverRestarts: 0, run: (splits) => driver.run(splits), stop };
}
