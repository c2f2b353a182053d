/**
 * Which cached partitions may be read. One that a task computed stays hidden until the task has
 * succeeded: what a failed task left behind is never read by another.
 */
import type { BlockId } from "@bm/block";
import type { ManagerRows } from "../journal/manager-rows.ts";

/** See the file comment. */
export class CacheVisibility {
  readonly #hidden = new Set<string>();
  /** In the order in which the tasks were named. */
  readonly #blocksByTask = new Map<bigint, Map<string, BlockId>>();
  readonly #tasksMax: number;
  readonly #rows: ManagerRows | null;

  /**
   * @param tasksMax tasks that are remembered; what the oldest computed then stays hidden.
   * @param rows told of every change.
   */
  constructor(tasksMax: number, rows: ManagerRows | null) {
    this.#tasksMax = tasksMax;
    this.#rows = rows;
  }

  /** Number of blocks that may not be read yet. */
  get hiddenCount(): number {
    return this.#hidden.size;
  }

  /** Whether a block that somebody has may be read. */
  isVisible(id: BlockId): boolean {
    return !this.#hidden.has(id.name);
  }

  /** Hides a block: it has got its first holder. */
  hide(id: BlockId): void {
    this.#hidden.add(id.name);
    this.#rows?.putHidden(id);
  }

  /** Hides nothing of a block any more: it has no holder, or may be read. */
  forget(id: BlockId): void {
    if (this.#hidden.delete(id.name)) this.#rows?.deleteHidden(id);
  }

  /** Takes note of who computes a block. */
  setTask(id: BlockId, taskId: bigint): void {
    const blocks = this.#blocksByTask.get(taskId) ?? new Map<string, BlockId>();
    blocks.set(id.name, id);
    this.#blocksByTask.set(taskId, blocks);
    this.#rows?.putTask(taskId, id);
    const [oldest] = this.#blocksByTask.keys();
    if (this.#blocksByTask.size > this.#tasksMax && oldest !== undefined) this.#forgetTask(oldest);
  }

  /** Forgets a task. Gives the blocks of it that may be read from now on: none if it failed. */
  endTask(taskId: bigint, succeeded: boolean): BlockId[] {
    const blocks = this.#forgetTask(taskId);
    if (!succeeded) return [];
    for (const id of blocks) this.forget(id);
    return blocks;
  }

  #forgetTask(taskId: bigint): BlockId[] {
    const blocks = [...(this.#blocksByTask.get(taskId)?.values() ?? [])];
    this.#blocksByTask.delete(taskId);
    for (const id of blocks) this.#rows?.deleteTask(taskId, id);
    return blocks;
  }
}
