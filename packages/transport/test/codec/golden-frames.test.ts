import { describe, expect, it } from "vitest";
import {
  ChunkedWriter,
  FrameDecoder,
  ManagedBuffer,
  type Message,
  MessageDecoder,
  MessageEncoder,
  MessageType,
  TransportError,
} from "../../src/index.ts";
import { EmbeddedChannel } from "../../src/testing/index.ts";
import { goldenFields, goldenFrames, messageOf, plainFields } from "./golden.ts";

const RAW_BODY_TYPES: readonly number[] = [MessageType.StreamResponse, MessageType.UploadStream];
const produced = goldenFrames.filter(({ name }) => !name.includes("NotOptimised"));
const substituted = produced.filter(({ name }) => name.startsWith("onBodyFailure/"));
const plain = produced.filter(({ name }) => !name.startsWith("onBodyFailure/"));

describe("golden frames of Spark", () => {
  it("are all there", () => {
    expect(goldenFrames).toHaveLength(138);
    expect(substituted.length).toBeGreaterThan(4);
  });

  for (const golden of plain) {
    it(`${golden.name} is encoded byte for byte`, () => {
      const embedded = encodingChannel();
      embedded.writeOutbound(messageOf(golden));
      expect(embedded.takeOutboundBytes().toString("hex")).toBe(golden.frameHex);
    });
  }

  for (const golden of goldenFrames) {
    it(`${golden.name} is read back`, () => {
      const embedded = decodingChannel();
      embedded.writeInbound(Buffer.from(golden.headerHex, "hex"));
      if (golden.bodyInFrame) embedded.writeInbound(Buffer.from(golden.bodyHex, "hex"));
      const message = embedded.readInbound() as Message;
      expect(message.type).toBe(MessageType[golden.type]);
      expect(plainFields(message)).toEqual(goldenFields(golden));
      if (golden.bodyInFrame) expect(bodyHexOf(message)).toBe(golden.bodyHex);
      expect(embedded.readInbound()).toBeUndefined();
    });
  }
});

describe("a body that cannot be opened", () => {
  for (const golden of substituted) {
    it(`${golden.name} becomes the failure that Spark sends`, async () => {
      const embedded = encodingChannel();
      const text = golden.name.endsWith("nullMessage") ? "" : "disk gone";
      await new Promise<void>((resolve, reject) => {
        embedded.writeOutbound(failingInput(golden.name, text), (error) =>
          error === null ? resolve() : reject(error),
        );
      });
      expect(embedded.takeOutboundBytes().toString("hex")).toBe(golden.frameHex);
      expect(embedded.channel.isActive).toBe(true);
    });
  }

  it("ends the connection when the message is a request", async () => {
    const embedded = encodingChannel();
    const body = new BrokenBody("disk gone");
    const error = await new Promise<Error | null>((resolve) => {
      embedded.writeOutbound({ type: MessageType.RpcRequest, requestId: 1, body }, resolve);
    });
    expect(error?.message).toBe("disk gone");
    await embedded.channel.closed;
    expect(embedded.takeOutboundBytes()).toHaveLength(0);
    expect(body.isReleased).toBe(true);
  });
});

class BrokenBody extends ManagedBuffer {
  readonly size = 5;
  readonly #text: string;
  isReleased = false;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  open(): Promise<never> {
    return Promise.reject(new TransportError("BODY_UNAVAILABLE", this.#text));
  }

  override release(): void {
    this.isReleased = true;
  }
}

function failingInput(name: string, text: string): Message {
  const body = new BrokenBody(text);
  const kind = name.split("/")[1];
  if (kind === "ChunkFetchSuccess") {
    return { type: MessageType.ChunkFetchSuccess, streamId: 9, chunkIndex: 2, body };
  }
  if (kind === "RpcResponse") return { type: MessageType.RpcResponse, requestId: -7, body };
  if (kind === "StreamResponse") {
    return { type: MessageType.StreamResponse, streamId: "s_1", byteCount: 5, body };
  }
  return { type: MessageType.MergedBlockMetaSuccess, requestId: 31, numChunks: 2, body };
}

function encodingChannel(): EmbeddedChannel {
  return new EmbeddedChannel([
    ["chunkedWriter", new ChunkedWriter()],
    ["encoder", new MessageEncoder()],
  ]);
}

function decodingChannel(): EmbeddedChannel {
  return new EmbeddedChannel([
    ["frameDecoder", new FrameDecoder()],
    ["decoder", new MessageDecoder()],
  ]);
}

function bodyHexOf(message: Message): string {
  expect(RAW_BODY_TYPES).not.toContain(message.type);
  const body = "body" in message ? message.body : undefined;
  return body instanceof Uint8Array ? Buffer.from(body).toString("hex") : "";
}
