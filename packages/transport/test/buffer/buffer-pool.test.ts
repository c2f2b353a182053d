import { describe, expect, it } from "vitest";
import { BufferPool } from "../../src/buffer/buffer-pool.ts";

describe("BufferPool", () => {
  it("hands a returned buffer to the next taker", () => {
    const pool = new BufferPool({ bufferBytes: 100, maxFree: 2 });
    const buffer = pool.take();
    expect(buffer.length).toBe(100);
    expect(pool.take()).not.toBe(buffer);
    pool.put(buffer);
    expect(pool.freeCount).toBe(1);
    expect(pool.take()).toBe(buffer);
    expect([pool.allocatedCount, pool.reusedCount]).toEqual([2, 1]);
  });

  it("keeps no more than its limit", () => {
    const pool = new BufferPool({ bufferBytes: 10, maxFree: 2 });
    const buffers = Array.from({ length: 5 }, () => pool.take());
    for (const buffer of buffers) pool.put(buffer);
    expect(pool.freeCount).toBe(2);
    const none = new BufferPool({ bufferBytes: 10, maxFree: 0 });
    none.put(none.take());
    expect(none.freeCount).toBe(0);
  });

  it("does not let one buffer have two owners", () => {
    const pool = new BufferPool({ bufferBytes: 10, maxFree: 4 });
    const buffer = pool.take();
    pool.put(buffer);
    expect(() => pool.put(buffer)).toThrow(/goes back once/);
    expect(() => pool.put(Buffer.alloc(9))).toThrow(/pool it came from/);
    expect(() => pool.put(pool.take().subarray(1))).toThrow(/pool it came from/);
  });

  it("has buffers of memory of their own", () => {
    const pool = new BufferPool({ bufferBytes: 10, maxFree: 4 });
    expect(pool.take().buffer).not.toBe(pool.take().buffer);
  });
});
