/**
 * Which cached partitions may be read. One that a task computed stays hidden until the task has
 * succeeded: what a failed task left behind is never read by another.
 */
import type { BlockId } from "@bm/block";

/** See the file comment. */
export class CacheVisibility {
  readonly #hidden = new Set<string>();
  /** In the order in which the tasks were named. */
  readonly #blocksByTask = new Map<bigint, Map<string, BlockId>>();
  readonly #tasksMax: number;

  /** @param tasksMax tasks that are remembered; what the oldest computed then stays hidden. */
  constructor(tasksMax: number) {
    this.#tasksMax = tasksMax;
  }

  /** Whether a block that somebody has may be read. */
  isVisible(id: BlockId): boolean {
    return !this.#hidden.has(id.name);
  }

  /** Hides a block: it has got its first holder. */
  hide(id: BlockId): void {
    this.#hidden.add(id.name);
  }

  /** Forgets a block: it has no holder any more. */
  forget(id: BlockId): void {
    this.#hidden.delete(id.name);
  }

  /** Takes note of who computes a block. */
  setTask(id: BlockId, taskId: bigint): void {
    const blocks = this.#blocksByTask.get(taskId) ?? new Map<string, BlockId>();
    blocks.set(id.name, id);
    this.#blocksByTask.set(taskId, blocks);
    const [oldest] = this.#blocksByTask.keys();
    if (this.#blocksByTask.size > this.#tasksMax && oldest !== undefined) {
      this.#blocksByTask.delete(oldest);
    }
  }

  /** Forgets a task. Gives the blocks of it that may be read from now on: none if it failed. */
  endTask(taskId: bigint, succeeded: boolean): BlockId[] {
    const blocks = [...(this.#blocksByTask.get(taskId)?.values() ?? [])];
    this.#blocksByTask.delete(taskId);
    if (!succeeded) return [];
    for (const id of blocks) this.#hidden.delete(id.name);
    return blocks;
  }
}
