import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FrameDecoder,
  type InboundFrame,
  type Message,
  MessageDecoder,
  type StreamInterceptor,
  TransportError,
} from "../../src/index.ts";
import { EmbeddedChannel } from "../../src/testing/index.ts";
import { goldenFields, goldenFrames, plainFields, readVectors } from "./golden.ts";

describe("FrameDecoder", () => {
  it("gives the same frames however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 40 }),
        (contents, cuts) => {
          const stream = Buffer.concat(contents.map(frameOf));
          expect(decodeAll(cut(stream, cuts))).toEqual(contents.map(hex));
        },
      ),
    );
  });

  it("gives every golden message at every cut into two", () => {
    const inFrame = goldenFrames.filter(({ frameHex, bodyHex, bodyInFrame }) => {
      return (bodyInFrame || bodyHex === "") && frameHex.length < 600;
    });
    for (const golden of inFrame) {
      const bytes = Buffer.from(golden.frameHex, "hex");
      for (let at = 1; at < bytes.length; at += 1) {
        const [message] = decodeMessages([bytes.subarray(0, at), bytes.subarray(at)]);
        expect(message && plainFields(message)).toEqual(goldenFields(golden));
      }
    }
  });

  it("gives frames or one typed error for any bytes at all", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 10 }), (chunks) => {
        const embedded = messageChannel();
        for (const chunk of chunks) embedded.writeInbound(chunk);
        const first = embedded.readException();
        if (first !== undefined) expect(first).toBeInstanceOf(TransportError);
      }),
      { numRuns: 2000 },
    );
  });

  it("gives messages or one typed error for well-framed garbage", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (content) => {
        const embedded = messageChannel();
        embedded.writeInbound(frameOf(content));
        const message = embedded.readInbound();
        const error = embedded.readException();
        expect(message === undefined).not.toBe(error === undefined);
        if (error !== undefined) expect(error).toMatchObject({ code: "MESSAGE_MALFORMED" });
      }),
      { numRuns: 2000 },
    );
  });

  it("hands a frame that came in one read on without a copy", () => {
    const embedded = frameChannel();
    const chunk = frameOf(Buffer.from("abcdef"));
    embedded.writeInbound(chunk);
    const frame = embedded.readInbound() as InboundFrame;
    expect(frame.lease).not.toBeNull();
    expect(frame.bytes.buffer).toBe(chunk.buffer);
  });

  it("owns a frame that came in several reads, so that reads may reuse their buffer", () => {
    const embedded = frameChannel();
    const chunk = frameOf(Buffer.from("abcdef"));
    const reused = Buffer.alloc(8);
    for (let offset = 0; offset < chunk.length; offset += 5) {
      const length = chunk.copy(reused, 0, offset, Math.min(offset + 5, chunk.length));
      embedded.writeInbound(reused.subarray(0, length));
    }
    reused.fill(0xff);
    const frame = embedded.readInbound() as InboundFrame;
    expect(frame.bytes.buffer).not.toBe(reused.buffer);
    expect(frame.bytes.toString()).toBe("abcdef");
  });

  for (const length of [-(2n ** 63n), -1n, 0n, 7n, 8n, 2n ** 31n + 7n, 2n ** 62n]) {
    it(`refuses a declared length of ${length} before any content`, () => {
      const embedded = frameChannel();
      embedded.writeInbound(lengthField(length));
      expect(embedded.readException()).toMatchObject({ code: "FRAME_LENGTH_INVALID" });
      embedded.writeInbound(frameOf(Buffer.from("later")));
      expect(embedded.readInbound()).toBeUndefined();
    });
  }

  it("accepts the largest length and holds almost nothing for it", () => {
    const embedded = frameChannel();
    const before = process.memoryUsage().arrayBuffers;
    embedded.writeInbound(lengthField(2n ** 31n + 6n));
    embedded.writeInbound(Buffer.from("x"));
    expect(embedded.readException()).toBeUndefined();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(24 * 1024 * 1024);
  });

  it("judges by its own limit when it has one", () => {
    const embedded = new EmbeddedChannel([
      ["frameDecoder", new FrameDecoder({ frameContentBytesMax: 10 })],
    ]);
    embedded.writeInbound(frameOf(Buffer.alloc(10)));
    expect(embedded.readInbound()).toBeDefined();
    embedded.writeInbound(frameOf(Buffer.alloc(11)));
    expect(embedded.readException()).toMatchObject({ code: "FRAME_LENGTH_INVALID" });
  });

  it("joins a frame that is larger than one gathering block", () => {
    const content = Buffer.alloc(40 * 1024 * 1024 + 3);
    for (let offset = 0; offset < content.length; offset += 4096) content[offset] = offset >>> 12;
    const embedded = frameChannel();
    const stream = frameOf(content);
    for (let offset = 0; offset < stream.length; offset += 1_000_003) {
      embedded.writeInbound(stream.subarray(offset, offset + 1_000_003));
    }
    const frame = embedded.readInbound() as InboundFrame;
    expect(frame.bytes.equals(content)).toBe(true);
  });

  it("offers the place where the rest of a large frame belongs, and takes bytes there as they are", () => {
    const decoder = new FrameDecoder();
    const embedded = new EmbeddedChannel([["frameDecoder", decoder]]);
    const content = Buffer.alloc(200_000, "content");
    const stream = frameOf(content);
    expect(decoder.readTarget()).toBeNull();
    embedded.writeInbound(stream.subarray(0, 1000));
    const target = embedded.channel.pipeline.readTarget() as Buffer;
    expect(target).toHaveLength(stream.length - 1000);
    stream.copy(target, 0, 1000);
    embedded.writeInbound(target.subarray(0, 150_000));
    // What is left is small now: the next read may bring more than this frame.
    expect(decoder.readTarget()).toBeNull();
    embedded.writeInbound(stream.subarray(151_000));
    const frame = embedded.readInbound() as InboundFrame;
    expect(frame.bytes.equals(content)).toBe(true);
    expect(frame.bytes.buffer).toBe(target.buffer);
  });

  it("names the culprit when the peer speaks HTTP", () => {
    const embedded = frameChannel();
    embedded.writeInbound(Buffer.from("GET / HTTP/1.1\r\nHost: example\r\n\r\n"));
    const error = embedded.readException();
    expect(error).toMatchObject({ code: "FOREIGN_PROTOCOL" });
    expect(error?.message).toContain("Too large frame: 5135603447292250188");
    expect(error?.message).toContain("HTTP");
  });

  it("reports a peer that left in the middle of a frame", () => {
    const embedded = frameChannel();
    embedded.writeInbound(frameOf(Buffer.from("abcdef")).subarray(0, 10));
    embedded.disconnect();
    expect(embedded.readException()).toMatchObject({ code: "FRAME_TRUNCATED" });
  });

  it("sends raw bytes to an interceptor and gives the rest of the same read back to framing", () => {
    const decoder = new FrameDecoder();
    const embedded = new EmbeddedChannel([["frameDecoder", decoder]]);
    const stream = new CollectingInterceptor(5);
    decoder.setInterceptor(stream);
    embedded.writeInbound(Buffer.concat([Buffer.from("hello"), frameOf(Buffer.from("next"))]));
    expect(stream.text).toBe("hello");
    expect((embedded.readInbound() as InboundFrame).bytes.toString()).toBe("next");
  });

  it("takes only one interceptor at a time", () => {
    const decoder = new FrameDecoder();
    decoder.setInterceptor(new CollectingInterceptor(1));
    expect(() => decoder.setInterceptor(new CollectingInterceptor(1))).toThrow(
      "Already have an interceptor.",
    );
  });

  it("tells an interceptor once when its own callback fails and the connection closes after that", () => {
    const decoder = new FrameDecoder();
    const embedded = new EmbeddedChannel([["frameDecoder", decoder]]);
    const failures: Error[] = [];
    decoder.setInterceptor({
      take: () => {
        throw new Error("receiver failed");
      },
      isDone: false,
      exceptionCaught: (error) => void failures.push(error),
      channelInactive: () => void failures.push(new Error("inactive")),
    });
    embedded.writeInbound(Buffer.from("x"));
    embedded.disconnect();
    expect(failures.map(({ message }) => message)).toEqual(["receiver failed"]);
  });
});

interface DecoderRun {
  readonly name: string;
  readonly level: "frame" | "message";
  readonly chunksHex: readonly string[];
  readonly events: readonly {
    readonly afterChunk: number;
    readonly frameBodyHex?: string;
    readonly message?: string;
    readonly fields?: Record<string, string | number>;
    readonly bodyHex?: string;
    readonly error?: { readonly message: string; readonly causeMessage?: string };
  }[];
}

/** Spark's decoder swallows a length of 7 and raises the same frame error for every later read. */
const RUNS_THAT_DIFFER_ON_PURPOSE = new Set(["length7Silent", "length7SilentSameChunk"]);

describe("decoder runs recorded from Spark", () => {
  for (const run of readVectors<DecoderRun>("transport-decoder.json")) {
    if (RUNS_THAT_DIFFER_ON_PURPOSE.has(run.name)) continue;
    it(run.name, () => {
      const embedded = run.level === "frame" ? frameChannel() : messageChannel();
      for (const [index, chunkHex] of run.chunksHex.entries()) {
        embedded.writeInbound(Buffer.from(chunkHex, "hex"));
        const expected = run.events.filter(({ afterChunk }) => afterChunk === index);
        const isOpen = expectEvents(embedded, expected);
        if (!isOpen) return;
      }
    });
  }

  it("differ only in a length of 7, which we refuse", () => {
    const embedded = frameChannel();
    embedded.writeInbound(lengthField(7n));
    expect(embedded.readException()).toMatchObject({ code: "FRAME_LENGTH_INVALID" });
  });
});

/** False after the first frame error: we close there, the recorded runs go on. */
function expectEvents(embedded: EmbeddedChannel, events: DecoderRun["events"]): boolean {
  for (const event of events) {
    if (event.error !== undefined) {
      const error = embedded.readException();
      expect(error).toBeInstanceOf(TransportError);
      const text = event.error.causeMessage ?? event.error.message;
      const isExactText = /frame|type|User type/i.test(text) && !text.includes("ByteBuf");
      if (isExactText) expect(error?.message).toContain(text);
      return (error as TransportError).code === "MESSAGE_MALFORMED";
    }
    const output = embedded.readInbound();
    if (event.frameBodyHex !== undefined) {
      expect((output as InboundFrame).bytes.toString("hex")).toBe(event.frameBodyHex);
    } else {
      expect(plainFields(output as Message)).toEqual(goldenFields({ fields: event.fields ?? {} }));
    }
  }
  expect(embedded.readInbound()).toBeUndefined();
  expect(embedded.readException()).toBeUndefined();
  return true;
}

class CollectingInterceptor implements StreamInterceptor {
  #missing: number;
  text = "";

  constructor(bytes: number) {
    this.#missing = bytes;
  }

  get isDone(): boolean {
    return this.#missing === 0;
  }

  take(bytes: Uint8Array): number {
    const piece = bytes.subarray(0, this.#missing);
    this.#missing -= piece.length;
    this.text += Buffer.from(piece).toString();
    return piece.length;
  }

  exceptionCaught(): void {}
  channelInactive(): void {}
}

function frameChannel(): EmbeddedChannel {
  return new EmbeddedChannel([["frameDecoder", new FrameDecoder()]]);
}

function messageChannel(): EmbeddedChannel {
  return new EmbeddedChannel([
    ["frameDecoder", new FrameDecoder()],
    ["decoder", new MessageDecoder()],
  ]);
}

function decodeAll(chunks: readonly Buffer[]): string[] {
  const embedded = frameChannel();
  for (const chunk of chunks) embedded.writeInbound(chunk);
  const frames: string[] = [];
  for (let frame = embedded.readInbound(); frame !== undefined; frame = embedded.readInbound()) {
    frames.push(hex((frame as InboundFrame).bytes));
  }
  return frames;
}

function decodeMessages(chunks: readonly Buffer[]): Message[] {
  const embedded = messageChannel();
  for (const chunk of chunks) embedded.writeInbound(chunk);
  const messages: Message[] = [];
  for (let next = embedded.readInbound(); next !== undefined; next = embedded.readInbound()) {
    messages.push(next as Message);
  }
  return messages;
}

function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let offset = 0, index = 0; offset < stream.length; index += 1) {
    const size = Math.max(sizes[index % sizes.length] ?? 1, index % 7 === 0 ? 1 : 0);
    chunks.push(stream.subarray(offset, offset + size));
    offset += size;
  }
  return chunks;
}

function frameOf(content: Uint8Array): Buffer {
  return Buffer.concat([lengthField(BigInt(content.length) + 8n), content]);
}

function lengthField(length: bigint): Buffer {
  const field = Buffer.alloc(8);
  field.writeBigInt64BE(length);
  return field;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
