import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BlockError,
  BlockManagerId,
  DRIVER_EXECUTOR_ID,
  EMPTY_BLOCK_STATUS,
  isCached,
  StorageLevel,
} from "../src/index.ts";
import recorded from "./vectors/map-status-examples.json" with { type: "json" };

interface IdVectors {
  readonly blockManagerIds: readonly {
    readonly executorId: string;
    readonly host: string;
    readonly port: number;
    readonly topology: string | null;
    readonly externalHex: string;
    readonly toString: string;
    readonly isDriver: boolean;
  }[];
  readonly updateBlockInfo: readonly {
    readonly blockManagerId: string;
    readonly externalHex: string;
  }[];
}

/** Recorded from Spark 4.1.2. */
const VECTORS: IdVectors = recorded;

describe("BlockManagerId agrees with Spark", () => {
  for (const vector of VECTORS.blockManagerIds) {
    it(`on ${vector.toString}`, () => {
      const { executorId, host, port, topology } = vector;
      const id = BlockManagerId.of(executorId, host, port, topology);
      expect(String(id)).toBe(vector.toString);
      expect(id.isDriver).toBe(vector.isDriver);
      expect(Buffer.from(id.toBytes()).toString("hex")).toBe(vector.externalHex);
      const read = BlockManagerId.fromBytes(Buffer.from(vector.externalHex, "hex"));
      expect(read.equals(id)).toBe(true);
      expect(read.key).toBe(id.key);
    });
  }

  for (const { blockManagerId, externalHex } of VECTORS.updateBlockInfo) {
    it(`on the identity at the start of a longer message of ${blockManagerId}`, () => {
      const bytes = Buffer.from(`ffffff${externalHex}`, "hex");
      const { id, end } = BlockManagerId.read(bytes, 3);
      expect(String(id)).toBe(blockManagerId);
      expect(bytes.subarray(3, end)).toEqual(Buffer.from(id.toBytes()));
    });
  }
});

describe("BlockManagerId", () => {
  for (const host of ["host-a", "10.0.0.2", "[::1]", "[fe80::1:2]", "[::]", ""]) {
    it(`takes the host "${host}"`, () => {
      expect(BlockManagerId.of("1", host, 1).host).toBe(host);
    });
  }

  for (const host of ["host:1", "::1", "fe80::1", "[a:b]", "a::", "::", ":", "[::1]:7337"]) {
    it(`refuses the host "${host}"`, () => {
      expect(() => BlockManagerId.of("1", host, 1)).toThrow(
        expect.objectContaining({ code: "BLOCK_MANAGER_ID_INVALID" }),
      );
    });
  }

  for (const port of [0, -1, 1.5, 2 ** 31, Number.NaN]) {
    it(`refuses the port ${port}`, () => {
      expect(() => BlockManagerId.of("1", "host", port)).toThrow(
        expect.objectContaining({ code: "BLOCK_MANAGER_ID_INVALID" }),
      );
    });
  }

  it("is another one with another topology", () => {
    const bare = BlockManagerId.of("1", "host", 1);
    const placed = BlockManagerId.of("1", "host", 1, "/rack1");
    expect(bare.equals(placed)).toBe(false);
    expect(bare.key).not.toBe(placed.key);
    expect(bare.key).not.toBe(BlockManagerId.of("1", "host", 1, "null").key);
  });

  const text = fc.string({ unit: "binary", maxLength: 30 });
  const identity = fc.record({
    executorId: text,
    host: text.filter((host) => !host.includes(":")),
    port: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    topologyInfo: fc.option(text),
  });

  it("comes back from its bytes, whatever is in its texts", () => {
    fc.assert(
      fc.property(identity, ({ executorId, host, port, topologyInfo }) => {
        const id = BlockManagerId.of(executorId, host, port, topologyInfo);
        const read = BlockManagerId.fromBytes(id.toBytes());
        expect(read).toMatchObject({ executorId, host, port, topologyInfo });
        expect(read.key).toBe(id.key);
      }),
    );
  });

  it("has a key of its own for each identity", () => {
    fc.assert(
      fc.property(identity, identity, (first, second) => {
        const [a, b] = [first, second].map(({ executorId, host, port, topologyInfo }) =>
          BlockManagerId.of(executorId, host, port, topologyInfo),
        );
        if (a === undefined || b === undefined) return;
        expect(a.key === b.key).toBe(a.equals(b));
      }),
    );
  });

  it("is read from any bytes or refused with one code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const code = failureOf(() => BlockManagerId.fromBytes(bytes))?.code ?? "BYTES_MALFORMED";
        expect(code).toBe("BYTES_MALFORMED");
      }),
      { numRuns: 2000 },
    );
  });

  it("is refused when it is cut anywhere or followed by anything", () => {
    const bytes = BlockManagerId.of("exec-é-\0-😀", "host", 7337, "/rack").toBytes();
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(failureOf(() => BlockManagerId.fromBytes(bytes.subarray(0, cut)))?.code).toBe(
        "BYTES_MALFORMED",
      );
    }
    const longer = Uint8Array.of(...bytes, 0);
    expect(failureOf(() => BlockManagerId.fromBytes(longer))?.code).toBe("BYTES_MALFORMED");
  });

  it("does not write a text that its length field cannot count", () => {
    const fits = BlockManagerId.of("é".repeat(32_767), "host", 1);
    expect(BlockManagerId.fromBytes(fits.toBytes()).equals(fits)).toBe(true);
    const id = BlockManagerId.of("é".repeat(32_768), "host", 1);
    expect(failureOf(() => id.toBytes())?.code).toBe("TEXT_TOO_LONG");
  });

  it("knows the driver", () => {
    expect(BlockManagerId.of(DRIVER_EXECUTOR_ID, "host", 1).isDriver).toBe(true);
    expect(BlockManagerId.of("0", "host", 1).hostPort).toBe("host:1");
  });
});

describe("BlockStatus", () => {
  it("is cached when any byte is held", () => {
    expect(isCached(EMPTY_BLOCK_STATUS)).toBe(false);
    const storageLevel = StorageLevel.DISK_ONLY;
    expect(isCached({ storageLevel, memSize: 0, diskSize: 1 })).toBe(true);
    expect(isCached({ storageLevel, memSize: 1, diskSize: 0 })).toBe(true);
  });
});

function failureOf(act: () => unknown): BlockError | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof BlockError) return error;
    throw error;
  }
}
