import { describe, expect, it } from "vitest";
import { BlockLease, BlockPool } from "../../src/buffer/block-pool.ts";
import { readBufferLease } from "../../src/buffer/body-lease.ts";

const MIB = 1024 * 1024;

describe("BlockPool", () => {
  it("gives a block again that was given back, to anybody who needs about as much", () => {
    const pool = new BlockPool();
    const block = pool.take(MIB - 5);
    expect(block).toHaveLength(MIB);
    pool.put(block);
    expect(pool.freeBytes).toBe(MIB);
    expect(pool.take(MIB - 100)).toBe(block);
    expect(pool.freeBytes).toBe(0);
    expect(pool.take(MIB)).not.toBe(block);
  });

  it("wastes at most a quarter, and nothing on small blocks", () => {
    const pool = new BlockPool();
    for (let bytes = 1; bytes < 20 * MIB; bytes = Math.ceil(bytes * 1.37)) {
      const { length } = pool.take(bytes);
      expect(length).toBeGreaterThanOrEqual(bytes);
      expect(length).toBeLessThanOrEqual(bytes < 4 * 1024 ? bytes : bytes * 1.25);
    }
  });

  it("keeps no more than its limit", () => {
    const pool = new BlockPool(3 * MIB);
    const blocks = Array.from({ length: 5 }, () => pool.take(MIB));
    for (const block of blocks) pool.put(block);
    expect(pool.freeBytes).toBe(3 * MIB);
  });

  it("does not take what is not of its sizes", () => {
    const pool = new BlockPool();
    pool.put(Buffer.alloc(MIB + 1));
    pool.put(Buffer.alloc(1000));
    expect(pool.freeBytes).toBe(0);
  });
});

describe("a lease", () => {
  it("gives the block itself to whoever keeps it in time", () => {
    const lease = new BlockLease();
    const bytes = Buffer.from("content");
    expect(lease.keep(bytes)).toBe(bytes);
    expect(lease.keep(bytes)).toBe(bytes);
    expect(lease.end()).toBe(false);
    expect(lease.keep(bytes)).toBe(bytes);
  });

  it("is loud when somebody keeps the bytes too late", () => {
    const lease = new BlockLease();
    expect(lease.end()).toBe(true);
    expect(() => lease.keep(Buffer.from("content"))).toThrow(/in the turn in which it arrived/);
  });

  it("copies out of a read buffer", () => {
    const bytes = Buffer.from("content");
    const kept = readBufferLease.keep(bytes);
    bytes.fill(0);
    expect(Buffer.from(kept).toString()).toBe("content");
  });
});
