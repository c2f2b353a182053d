import { describe, expect, it } from "vitest";
import { createMemoryFiles } from "../../src/testing/memory-files.ts";

describe("memory files", () => {
  it("fill up", async () => {
    const files = createMemoryFiles({ capacityBytes: 100 });
    await files.writeFile("/a", Buffer.alloc(60));
    const full = { code: "FILE_FAILED", cause: { code: "ENOSPC" } };
    await expect(files.writeFile("/b", Buffer.alloc(41))).rejects.toMatchObject(full);
    await files.remove("/b");
    await files.writeFile("/b", Buffer.alloc(40));
    await files.remove("/a");
    await files.writeFile("/a", Buffer.alloc(60));
  });

  it("have room again once a replaced file is gone", async () => {
    const files = createMemoryFiles({ capacityBytes: 100 });
    await files.writeFile("/a", Buffer.alloc(50));
    await files.writeFile("/b", Buffer.alloc(50));
    await expect(files.writeFile("/c", Buffer.alloc(1))).rejects.toThrow("the disk is full");
    await files.rename("/a", "/b");
    await expect(files.writeFile("/a", Buffer.alloc(50))).resolves.toBeUndefined();
  });

  it("are modified when the given clock says so", async () => {
    let nowMs = 1000;
    const files = createMemoryFiles({ wallTimeMs: () => nowMs });
    await files.writeFile("/a", Buffer.alloc(1));
    nowMs = 2000;
    expect((await files.stat("/a"))?.modifiedMs).toBe(1000);
    await files.writeFile("/a", Buffer.alloc(1));
    expect((await files.stat("/a"))?.modifiedMs).toBe(2000);
  });

  it("give a copy of the content", async () => {
    const files = createMemoryFiles();
    await files.writeFile("/a", Buffer.from("x"));
    (await files.readFile("/a")).fill(0);
    expect(Buffer.from(await files.readFile("/a")).toString()).toBe("x");
  });
});
