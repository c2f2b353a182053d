/**
 * Runs the tasks of a stage on whatever executors are alive: one task per executor at a time. The
 * tasks of an executor that is lost go back to the queue.
 */

/** One executor as a stage sees it. */
export interface Worker {
  readonly id: string;
  readonly isAlive: boolean;
}

/** A stage's tasks and what to do with them. */
export interface Stage<Task, W extends Worker> {
  readonly tasks: readonly Task[];
  readonly workers: () => readonly W[];
  /** Runs one task. "again" puts it back to the end of the queue. */
  readonly run: (task: Task, worker: W) => Promise<"done" | "again" | "stop">;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * Resolves with the tasks that are left: none, unless a task said "stop".
 * @throws Error when no executor is left, or a task failed on a live one.
 */
export async function runStage<Task, W extends Worker>(stage: Stage<Task, W>): Promise<Task[]> {
  const state = { queue: [...stage.tasks], done: 0, isStopped: false };
  const serve = async (worker: W): Promise<void> => {
    while (worker.isAlive && !state.isStopped) {
      const task = state.queue.shift();
      if (task === undefined) return;
      const outcome = await attempt(stage, task, worker);
      if (outcome === "done") {
        state.done += 1;
        stage.onProgress(state.done, stage.tasks.length);
      } else state.queue.push(task);
      if (outcome === "stop") state.isStopped = true;
    }
  };
  stage.onProgress(0, stage.tasks.length);
  while (state.queue.length > 0 && !state.isStopped) {
    const workers = stage.workers().filter(({ isAlive }) => isAlive);
    if (workers.length === 0) throw new Error("no executor is left to run the tasks");
    await Promise.all(workers.map(serve));
  }
  return state.queue;
}

async function attempt<Task, W extends Worker>(
  stage: Stage<Task, W>,
  task: Task,
  worker: W,
): Promise<"done" | "again" | "stop"> {
  try {
    return await stage.run(task, worker);
  } catch (error) {
    // A broken connection is often seen before the exit of the process behind it.
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (!worker.isAlive) return "again";
    throw error;
  }
}
