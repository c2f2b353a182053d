import { describe, expect, it, vi } from "vitest";
import {
  BytesManagedBuffer,
  ChunkedWriter,
  encodeMessage,
  FileSegmentManagedBuffer,
  type Files,
  ManagedBuffer,
  type Message,
  MessageEncoder,
  MessageType,
  type OpenFile,
  type OpenMode,
  StreamManagedBuffer,
  TransportError,
} from "../../src/index.ts";
import { fileFailed } from "../../src/platform/node-error.ts";
import { systemError } from "../../src/platform/system-error.ts";
import { createMemoryFiles, EmbeddedChannel } from "../../src/testing/index.ts";
import { pattern } from "../buffer/pieces.ts";

describe("ChunkedWriter", () => {
  it("lets nothing in between a header and the last byte of its body", async () => {
    const embedded = writingChannel();
    const gate = Promise.withResolvers<void>();
    const slow = new StreamManagedBuffer({
      size: 6,
      open: async function* () {
        yield Buffer.from("abc");
        await gate.promise;
        yield Buffer.from("def");
      },
    });
    const ends: string[] = [];
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: slow }, () =>
      ends.push("slow"),
    );
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: Buffer.from("later") }, () =>
      ends.push("later"),
    );
    await turns(5);
    gate.resolve();
    await embedded.channel.close();
    const sent = embedded.takeOutboundBytes().toString("latin1");
    expect(sent.indexOf("abcdef")).toBeGreaterThan(0);
    expect(sent.indexOf("later")).toBeGreaterThan(sent.indexOf("abcdef"));
    expect(ends.toSorted()).toEqual(["later", "slow"]);
  });

  it("waits for a piece to be taken before it reads the one after the next", async () => {
    const embedded = writingChannel({ holdWrites: true });
    let yielded = 0;
    const body = new StreamManagedBuffer({
      size: 4,
      open: async function* () {
        for (; yielded < 4; yielded += 1) yield Buffer.from(String(yielded));
      },
    });
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body });
    await turns(20);
    expect(yielded).toBeLessThanOrEqual(2);
    for (let round = 0; round < 5; round += 1) {
      embedded.completeWrites();
      await turns(5);
    }
    expect(embedded.takeOutboundBytes().toString("latin1").endsWith("0123")).toBe(true);
  });

  it("ends the connection when a body breaks off, and says so to everybody who waits", async () => {
    const embedded = writingChannel();
    const broken = new StreamManagedBuffer({
      size: 10,
      open: async function* () {
        yield Buffer.from("abc");
        throw new TransportError("BODY_UNAVAILABLE", "the disk is gone");
      },
    });
    const ends: (Error | null)[] = [];
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: broken }, (e) => ends.push(e));
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: Buffer.from("x") }, (e) =>
      ends.push(e),
    );
    await embedded.channel.closed;
    expect(ends).toMatchObject([{ code: "BODY_UNAVAILABLE" }, { code: "CHANNEL_CLOSED" }]);
    expect(embedded.channel.pendingBytes).toBe(0);
  });

  it.each([true, false])(
    "keeps the order of frames from files and from memory (files in memory: %s)",
    async (isCached) => {
      const embedded = writingChannel();
      const files = createMemoryFiles({ isCached });
      const content = pattern(3_000_000);
      await files.writeFile("/data", content);
      const expected: Buffer[] = [];
      for (const [index, length] of [10, 600_000, 64_000, 256 * 1024, 1_500_000, 1].entries()) {
        const options = { files, path: "/data", offset: index, length };
        const bytes = content.subarray(index, index + length);
        const streamId = index;
        for (const body of [new FileSegmentManagedBuffer(options), bytes]) {
          embedded.writeOutbound({
            type: MessageType.ChunkFetchSuccess,
            streamId,
            chunkIndex: 0,
            body,
          });
          expected.push(
            frameOf({ type: MessageType.ChunkFetchSuccess, streamId, chunkIndex: 0, body: bytes }),
          );
        }
        const missing = new FileSegmentManagedBuffer({ ...options, path: "/none" });
        embedded.writeOutbound({
          type: MessageType.ChunkFetchSuccess,
          streamId,
          chunkIndex: 1,
          body: missing,
        });
        expected.push(
          frameOf({ type: MessageType.ChunkFetchFailure, streamId, chunkIndex: 1, error: "/none" }),
        );
      }
      await embedded.channel.close();
      expect(embedded.takeOutboundBytes().equals(Buffer.concat(expected))).toBe(true);
      expect(embedded.channel.pendingBytes).toBe(0);
    },
  );

  describe("with small neighbours in a file that has to be waited for", () => {
    const BLOCK_BYTES = 10_000;
    const content = pattern(100 * BLOCK_BYTES);

    it("reads them together", async () => {
      const files = createMemoryFiles();
      await files.writeFile("/data", content);
      const opens: string[] = [];
      const embedded = writingChannel();
      const expected = writeBlocks(embedded, countingOpens(files, opens), 100);
      await turns(20);
      expect(embedded.takeOutboundBytes().equals(Buffer.concat(expected))).toBe(true);
      // The first is read while nobody knows of the others; 52 of them are half a megabyte.
      expect(opens.length).toBeLessThanOrEqual(3);
    });

    it("tells the peer which of them the file does not have", async () => {
      const files = createMemoryFiles();
      await files.writeFile("/data", content.subarray(0, 7 * BLOCK_BYTES + 1));
      const embedded = writingChannel();
      const expected = writeBlocks(embedded, files, 10).map((frame, chunkIndex) => {
        if (chunkIndex < 7) return frame;
        const error = `/data has 70001 bytes, too few for 10000 bytes at ${chunkIndex}0000`;
        return frameOf({ type: MessageType.ChunkFetchFailure, streamId: 1, chunkIndex, error });
      });
      await turns(50);
      expect(embedded.takeOutboundBytes().equals(Buffer.concat(expected))).toBe(true);
      expect(embedded.channel.pendingBytes).toBe(0);
    });

    it("reads no more than a few megabytes ahead of a peer that does not take them", async () => {
      const files = createMemoryFiles();
      const long = pattern(10 * 1024 * 1024);
      await files.writeFile("/data", long);
      const opens: string[] = [];
      const embedded = writingChannel({ holdWrites: true });
      writeBlocks(embedded, countingOpens(files, opens), 160, 64 * 1024);
      await turns(50);
      // A megabyte was written, four more wait.
      expect(opens.length).toBeLessThanOrEqual(11);
      for (let round = 0; round < 20; round += 1) {
        embedded.completeWrites();
        await turns(5);
      }
      const sent = embedded.takeOutboundBytes();
      expect(sent.length).toBe(160 * (21 + 64 * 1024));
      expect(sent.subarray(-64 * 1024).equals(long.subarray(-64 * 1024))).toBe(true);
    });

    it("reads no more ahead once it finds everything in memory", async () => {
      const files = createMemoryFiles({ isCached: true });
      await files.writeFile("/data", pattern(40 * 64 * 1024));
      let opens = 0;
      const warm: Files = Object.assign(Object.create(files) as Files, {
        openNow: (path: string) => (opens === 0 ? null : files.openNow(path)),
        open: (path: string, mode: OpenMode) => {
          opens += 1;
          return files.open(path, mode);
        },
      });
      const embedded = writingChannel({ holdWrites: true });
      for (let round = 0; round < 20; round += 1) {
        // More than may be written, so that some always wait.
        writeBlocks(embedded, warm, 40, 64 * 1024);
        for (let taken = 0; taken < 2; taken += 1) {
          await turns(5);
          embedded.completeWrites();
        }
      }
      expect(opens).toBeGreaterThan(0);
      expect(opens).toBeLessThan(10);
      embedded.disconnect();
    });

    it("tells the peer of those for which no more files could be opened, and sends the next", async () => {
      const files = createMemoryFiles();
      await files.writeFile("/data", content);
      let refusals = 3;
      const refusing: Files = Object.assign(Object.create(files) as Files, {
        open: async (path: string, mode: OpenMode) => {
          refusals -= 1;
          if (refusals >= 0) throw fileFailed("open", path, systemError("EMFILE", "open", path));
          return files.open(path, mode);
        },
        openNow: () => null,
        readNow: () => 0,
      });
      const embedded = writingChannel();
      // The read of both together fails, then each alone.
      const expected = writeBlocks(embedded, refusing, 2).map((_, chunkIndex) =>
        frameOf({ type: MessageType.ChunkFetchFailure, streamId: 1, chunkIndex, error: "/data" }),
      );
      await turns(20);
      expected.push(...writeBlocks(embedded, refusing, 2));
      await turns(20);
      expect(embedded.takeOutboundBytes().equals(Buffer.concat(expected))).toBe(true);
    });

    it("keeps few files open, however many connections want some", async () => {
      const files = createMemoryFiles();
      await files.writeFile("/data", content);
      const gate = Promise.withResolvers<void>();
      let [open, most, closed] = [0, 0, 0];
      const counting: Files = Object.assign(Object.create(files) as Files, {
        open: async (path: string, mode: OpenMode) => {
          open += 1;
          most = Math.max(most, open);
          await gate.promise;
          const file = await files.open(path, mode);
          const close = async (): Promise<void> => {
            await turns(1);
            open -= 1;
            closed += 1;
            await file.close();
          };
          return Object.assign(Object.create(file) as OpenFile, {
            close,
            readNow: () => 0,
            read: (buffer: Uint8Array, position: number) => file.read(buffer, position),
          });
        },
        openNow: () => null,
        readNow: () => 0,
      });
      const channels = Array.from({ length: 300 }, () => writingChannel());
      const expected = channels.map((embedded) => writeBlocks(embedded, counting, 1));
      await turns(5);
      gate.resolve();
      await vi.waitFor(() => expect(closed).toBe(300), { timeout: 20_000 });
      await turns(5);
      for (const [index, embedded] of channels.entries()) {
        expect(embedded.takeOutboundBytes().equals(Buffer.concat(expected[index] ?? []))).toBe(
          true,
        );
      }
      expect(most).toBe(128);
    });

    it("reads nothing more of them when the connection was lost", async () => {
      const files = createMemoryFiles({ isCached: true });
      await files.writeFile("/data", pattern(2_500_000));
      let reads = 0;
      const counting = countingReads(files, () => {
        reads += 1;
      });
      const embedded = writingChannel({ holdWrites: true });
      writeBlocks(embedded, counting, 10, 250_000);
      expect(reads).toBe(5);
      embedded.disconnect(new Error("reset"));
      await turns(5);
      expect(reads).toBe(5);
      expect(embedded.channel.pendingBytes).toBe(0);
    });

    it("gives them up when the connection ends", async () => {
      const files = createMemoryFiles();
      await files.writeFile("/data", content);
      const embedded = writingChannel({ holdWrites: true });
      writeBlocks(embedded, files, 100);
      embedded.disconnect();
      await turns(20);
      expect(embedded.channel.pendingBytes).toBe(0);
    });

    function writeBlocks(
      embedded: EmbeddedChannel,
      files: Files,
      count: number,
      length = BLOCK_BYTES,
    ): Buffer[] {
      return Array.from({ length: count }, (_, chunkIndex) => {
        const offset = chunkIndex * length;
        const body = new FileSegmentManagedBuffer({ files, path: "/data", offset, length });
        const key = { type: MessageType.ChunkFetchSuccess, streamId: 1, chunkIndex } as const;
        embedded.writeOutbound({ ...key, body });
        return frameOf({ ...key, body: content.subarray(offset, offset + length) });
      });
    }
  });

  it("reads no more files into memory while the peer does not take the bytes", async () => {
    const embedded = writingChannel({ holdWrites: true });
    const files = createMemoryFiles({ isCached: true });
    await files.writeFile("/data", pattern(64 * 1024));
    let reads = 0;
    const counting = countingReads(files, () => {
      reads += 1;
    });
    for (let index = 0; index < 100; index += 1) {
      const options = { files: counting, path: "/data", offset: 0, length: 64 * 1024 };
      const body = new FileSegmentManagedBuffer(options);
      embedded.writeOutbound({ type: MessageType.OneWayMessage, body });
    }
    for (let taken = 0; taken < 100; taken += 16) {
      await turns(2);
      expect(reads).toBe(Math.min(100, taken + 16));
      embedded.completeWrites();
    }
    await embedded.channel.close();
    expect(embedded.channel.pendingBytes).toBe(0);
  });

  it("holds one piece of what is in memory for a peer that does not take it", async () => {
    const embedded = writingChannel({ holdWrites: true });
    const files = createMemoryFiles({ isCached: true });
    await files.writeFile("/data", pattern(4 * 1024 * 1024));
    for (let index = 0; index < 4; index += 1) {
      const options = { files, path: "/data", offset: 0, length: 4 * 1024 * 1024 };
      const body = new FileSegmentManagedBuffer(options);
      embedded.writeOutbound({ type: MessageType.OneWayMessage, body });
    }
    let pieces = 0;
    for (let taken = 0; taken < 4 * 8; taken += 1) {
      await turns(2);
      expect(embedded.channel.pendingBytes).toBeLessThan(1024 * 1024);
      embedded.completeWrites();
      pieces += 1;
    }
    await embedded.channel.close();
    expect(pieces).toBe(32);
    expect(embedded.channel.pendingBytes).toBe(0);
  });

  it("asks for no more requests while enough bodies wait to be read", async () => {
    const embedded = writingChannel({ holdWrites: true });
    const files = createMemoryFiles({ isCached: true });
    await files.writeFile("/data", pattern(16 * 1024));
    let written = 0;
    while (embedded.channel.isWritable && written < 10_000) {
      const body = new FileSegmentManagedBuffer({
        files,
        path: "/data",
        offset: 0,
        length: 16_384,
      });
      embedded.writeOutbound({ type: MessageType.OneWayMessage, body });
      written += 1;
    }
    expect(written).toBeLessThan(250);
    for (let rounds = 0; !embedded.channel.isWritable && rounds < 250; rounds += 1) {
      embedded.completeWrites();
      await turns(2);
    }
    expect(embedded.channel.isWritable).toBe(true);
    await embedded.channel.close();
  });

  it("releases every body exactly when it is done with it", async () => {
    const embedded = writingChannel();
    const memory = new CountingBuffer();
    embedded.writeOutbound({ type: MessageType.OneWayMessage, body: memory });
    await embedded.channel.close();
    expect(memory.releases).toBe(1);
  });
});

function countingReads(files: Files, onRead: () => void): Files {
  return Object.assign(Object.create(files) as Files, {
    openNow: (path: string) => {
      const file = files.openNow(path) as OpenFile;
      return Object.assign(Object.create(file) as OpenFile, {
        close: () => file.close(),
        readNow: (buffer: Uint8Array, position: number) => {
          onRead();
          return file.readNow(buffer, position);
        },
      });
    },
  });
}

function countingOpens(files: Files, opens: string[]): Files {
  return Object.assign(Object.create(files) as Files, {
    readNow: () => 0,
    openNow: () => null,
    open: (path: string, mode: OpenMode) => {
      opens.push(path);
      return files.open(path, mode);
    },
  });
}

function frameOf(message: Message): Buffer {
  const { header, body } = encodeMessage(message);
  return body === null ? header : Buffer.concat([header, body as Uint8Array]);
}

class CountingBuffer extends ManagedBuffer {
  readonly #inner = new BytesManagedBuffer(Buffer.from("content"));
  readonly size = 7;
  releases = 0;

  open(): ReturnType<ManagedBuffer["open"]> {
    return this.#inner.open();
  }

  override release(): void {
    this.releases += 1;
  }
}

function writingChannel(options: { holdWrites?: boolean } = {}): EmbeddedChannel {
  return new EmbeddedChannel(
    [
      ["chunkedWriter", new ChunkedWriter()],
      ["encoder", new MessageEncoder()],
    ],
    options,
  );
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
