import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamManagedBuffer } from "../../src/buffer/stream-managed-buffer.ts";
import { readOverlapped } from "./pieces.ts";

async function* streamOf(...pieces: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    yield Buffer.from(piece);
  }
}

const unavailable = (text: string): object => ({
  code: "BODY_UNAVAILABLE",
  message: expect.stringContaining(text),
});

describe("StreamManagedBuffer", () => {
  it("gives what the stream gives, without its empty pieces", async () => {
    const body = new StreamManagedBuffer({
      size: 6,
      open: () => streamOf("ab", "", "cde", "f", ""),
    });
    expect((await readOverlapped(body)).toString()).toBe("abcdef");
    expect(Buffer.from(await body.bytes()).toString()).toBe("abcdef");
    const lengths: number[] = [];
    for await (const piece of body.pieces()) lengths.push(piece.length);
    expect(lengths).toEqual([2, 3, 1]);
  });

  it("may be empty", async () => {
    const body = new StreamManagedBuffer({ size: 0, open: () => streamOf() });
    expect(await (await body.open()).next()).toBeNull();
  });

  it("fails when the stream ends too early", async () => {
    const body = new StreamManagedBuffer({ size: 5, open: () => streamOf("abc") });
    const reader = await body.open();
    expect(Buffer.from((await reader.next()) ?? []).toString()).toBe("abc");
    await expect(reader.next()).rejects.toMatchObject(unavailable("after 3 of 5 bytes"));
    await reader.close();
    await expect(body.bytes()).rejects.toMatchObject({ code: "BODY_UNAVAILABLE" });
  });

  it("fails when the stream gives too much, and gives none of that", async () => {
    for (const pieces of [["abc", "def"], ["abcdef"], ["abcd", "", "e"]]) {
      const body = new StreamManagedBuffer({ size: 4, open: () => streamOf(...pieces) });
      let byteCount = 0;
      const reading = (async () => {
        for await (const piece of body.pieces()) byteCount += piece.length;
      })();
      await expect(reading).rejects.toMatchObject(unavailable("more than the 4 bytes"));
      expect(byteCount).toBeLessThanOrEqual(4);
    }
  });

  it("passes on why the stream failed", async () => {
    const cause = new Error("source broke");
    const body = new StreamManagedBuffer({ size: 4, open: () => streamOf("ab", cause) });
    const reader = await body.open();
    await reader.next();
    await expect(reader.next()).rejects.toMatchObject({ code: "BODY_UNAVAILABLE", cause });
    await reader.close();
  });

  it("fails to open when the stream cannot be started", async () => {
    const cause = new Error("no source");
    const body = new StreamManagedBuffer({
      size: 1,
      open: () => {
        throw cause;
      },
    });
    await expect(body.open()).rejects.toMatchObject({ code: "BODY_UNAVAILABLE", cause });
  });

  it("ends a stream that is given up, once", async () => {
    let ends = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.from("x");
      } finally {
        ends += 1;
      }
    }
    const reader = await new StreamManagedBuffer({ size: 100, open: endless }).open();
    await reader.next();
    await reader.close();
    await reader.close();
    expect(ends).toBe(1);
    await expect(reader.next()).rejects.toMatchObject({ code: "BODY_RELEASED" });
  });

  it("never takes a stream for whole that is not", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 }),
      fc.integer({ min: 0, max: 120 }),
      async (pieces, size) => {
        async function* source(): AsyncGenerator<Uint8Array> {
          yield* pieces;
        }
        const whole = Buffer.concat(pieces);
        const body = new StreamManagedBuffer({ size, open: source });
        const result = await readOverlapped(body).catch((error: unknown) => error);
        if (size === whole.length) expect(result).toEqual(whole);
        else expect(result).toMatchObject({ code: "BODY_UNAVAILABLE" });
      },
    );
    await fc.assert(property);
  });
});
