import type { RowChange, RowStore } from "@bm/master";

/** Keeps rows in memory, one write after the other; fails while `isFull`. */
export class MemoryRows implements RowStore {
  readonly description = "memory";
  readonly rows: Map<string, Uint8Array> = new Map();
  /** Numbers of changes that came together. */
  readonly writes: number[] = [];
  isFull = false;

  textOf(key: string): string {
    return Buffer.from(this.rows.get(key) ?? []).toString();
  }

  read(prefix: string, visit: (key: string, value: Uint8Array) => void): Promise<void> {
    const keys = [...this.rows.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    for (const key of keys) visit(key, this.rows.get(key) ?? new Uint8Array(0));
    return Promise.resolve();
  }

  write(changes: readonly RowChange[]): Promise<void> {
    if (this.isFull) return Promise.reject(new Error("no space left"));
    this.writes.push(changes.length);
    for (const { key, value } of changes) {
      if (value === null) this.rows.delete(key);
      else this.rows.set(key, value);
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
