import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BlockTransferMessage,
  BlockTransferMessageType,
  decodeBlockTransferMessage,
  encodeBlockTransferMessage,
  roaringBitmapBytes,
  ShuffleError,
} from "../../src/index.ts";
import { goldenMessages, messageOf, oddMessages } from "./golden-message.ts";

/** Inconsistent messages that Spark decodes because its assertions are off. We refuse them. */
const REFUSED_WHERE_SPARK_IS_LENIENT = new Set([
  "fetch-blocks-batch-wrong-length",
  "fetch-mapids-len-mismatch",
]);

describe("messages recorded from Spark", () => {
  it("cover every message there is", () => {
    const names = new Set(goldenMessages.map(({ type }) => type));
    expect([...names].toSorted()).toEqual(Object.keys(BlockTransferMessageType).toSorted());
  });

  it.each(goldenMessages)("$name decodes to its fields", (golden) => {
    const { bitmaps: _, ...fields } = plain(decodeBlockTransferMessage(fromHex(golden.hex)));
    expect(fields).toEqual(plain(messageOf(golden)));
  });

  it.each(goldenMessages)("$name encodes to the same bytes", ({ hex }) => {
    const message = decodeBlockTransferMessage(fromHex(hex));
    expect(encodeBlockTransferMessage(message).toString("hex")).toBe(hex);
  });

  it("carry bitmaps that hold the recorded values", () => {
    const three = goldenMessages.find(({ name }) => name === "mergestatuses-three");
    const message = decodeBlockTransferMessage(fromHex(three?.hex ?? ""));
    if (message.type !== "MergeStatuses") throw new Error(message.type);
    expect(message.bitmaps.map((bitmap) => roaringBitmapBytes(bitmap))).toEqual(
      message.bitmaps.map((bitmap) => bitmap.length),
    );
    expect(message.bitmaps.map(firstValue)).toEqual([0, 0, 1]);
  });

  it.each(goldenMessages)("$name is refused wherever it is cut short", ({ hex }) => {
    const bytes = fromHex(hex);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(codeOf(() => decodeBlockTransferMessage(bytes.subarray(0, length)))).toBe(
        "MESSAGE_MALFORMED",
      );
    }
  });
});

describe("odd bytes", () => {
  it.each(oddMessages)(
    "$name ends as in Spark, or is refused",
    ({ name, hex, result, message }) => {
      const decode = (): BlockTransferMessage => decodeBlockTransferMessage(fromHex(hex));
      if (result === "decoded" && !REFUSED_WHERE_SPARK_IS_LENIENT.has(name)) {
        expect(decode().type).toBe("StreamHandle");
        return;
      }
      const isUnknown = message?.startsWith("Unknown message type") ?? false;
      expect(codeOf(decode)).toBe(isUnknown ? "MESSAGE_UNKNOWN" : "MESSAGE_MALFORMED");
      if (isUnknown) expect(decode).toThrow(message ?? "");
    },
  );

  it("give a message or one typed error, whatever they are", () => {
    const type = fc.integer({ min: 0, max: 20 });
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 120 }), (typeByte, rest) => {
        const bytes = Uint8Array.of(typeByte, ...rest);
        try {
          encodeBlockTransferMessage(decodeBlockTransferMessage(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(ShuffleError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("give a message or one typed error when a real message is damaged", () => {
    const real = fc.constantFrom(...goldenMessages.map(({ hex }) => hex));
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
    fc.assert(
      fc.property(real, damage, (hex, changes) => {
        const bytes = fromHex(hex);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        try {
          decodeBlockTransferMessage(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ShuffleError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("declare lengths that are checked before anything is allocated", () => {
    // OpenBlocks, FetchShuffleBlocks and MergeStatuses that promise 2^31 - 1 elements.
    for (const hex of [
      "00" + "00000000".repeat(2),
      "09" + "00000000".repeat(3),
      "0e" + "0".repeat(16),
    ]) {
      const before = process.memoryUsage().arrayBuffers;
      expect(codeOf(() => decodeBlockTransferMessage(fromHex(`${hex}7fffffff00`)))).toBe(
        "MESSAGE_MALFORMED",
      );
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    }
  });
});

describe("a message that is put together wrongly", () => {
  it("is refused instead of sent", () => {
    const fetch = {
      type: "FetchShuffleBlocks",
      appId: "app",
      execId: "1",
      shuffleId: 0,
      mapIds: [1n, 2n],
      reduceIds: [[0]],
      batchFetchEnabled: false,
    } as const;
    expect(codeOf(() => encodeBlockTransferMessage(fetch))).toBe("MESSAGE_MALFORMED");
  });
});

function fromHex(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}

/** With byte fields as plain hex, so that views and copies compare as equal. */
function plain(message: BlockTransferMessage): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(message).map(([field, value]: [string, unknown]) => [
      field,
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ]),
  );
}

/** First value of a bitmap whose first container is an array or a run. */
function firstValue(bitmap: Uint8Array): number {
  const view = Buffer.from(bitmap);
  const hasRuns = view.readUInt16LE(0) === 12347;
  const count = hasRuns ? view.readUInt16LE(2) + 1 : view.readUInt32LE(4);
  const descriptors = hasRuns ? 4 + Math.ceil(count / 8) : 8;
  const hasOffsets = !hasRuns || count >= 4;
  return view.readUInt16LE(descriptors + count * (hasOffsets ? 8 : 4) + (hasRuns ? 2 : 0));
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof ShuffleError) return error.code;
    throw error;
  }
  return "no error";
}
