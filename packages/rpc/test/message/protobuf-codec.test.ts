import {
  endpointAddressFromWire,
  endpointAddressToWire,
  int64FromWire,
  int64ToWire,
  protobufCodec,
  RpcError,
  sizeFromWire,
  sizeToWire,
  type WireInteger,
} from "@bm/rpc";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";

interface Wire {
  readonly id: WireInteger;
  readonly size: WireInteger;
  readonly data: Uint8Array;
}

const Sample = protobuf
  .parse(`syntax = "proto3"; message Sample { int64 id = 1; int64 size = 2; bytes data = 3; }`)
  .root.lookupType("Sample");

interface Value {
  readonly id: bigint;
  readonly size: number;
  readonly data: Uint8Array;
}

const codec = protobufCodec(
  {
    encode: (fields: Wire) => Sample.encode(fields),
    decode: (bytes: Uint8Array) => Sample.decode(bytes) as unknown as Wire,
  },
  {
    toWire: ({ id, size, data }: Value) => ({
      id: int64ToWire(id),
      size: sizeToWire(size),
      data,
    }),
    fromWire: ({ id, size, data }) => ({
      id: int64FromWire(id),
      size: sizeFromWire(size),
      data: Uint8Array.from(data),
    }),
  },
);

const anInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe("protobufCodec", () => {
  it("keeps 64-bit integers exact", () => {
    const aValue = fc.record({
      id: anInt64,
      size: fc.maxSafeNat(),
      data: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(aValue, (value) => {
        expect(codec.decode(codec.encode(value))).toEqual(value);
      }),
      { examples: [[{ id: 2n ** 63n - 1n, size: 0, data: new Uint8Array(0) }]] },
    );
  });

  it("gives a value or MESSAGE_MALFORMED for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          codec.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RpcError);
          expect(error).toMatchObject({ code: "MESSAGE_MALFORMED" });
        }
      }),
    );
  });
});

describe("64-bit integers at the edge to protobuf", () => {
  it("do not lose what does not fit", () => {
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) {
      expect(() => int64ToWire(value)).toThrow(
        expect.objectContaining({ code: "MESSAGE_MALFORMED" }),
      );
    }
  });

  it("are no sizes when they are negative, broken, or not safe", () => {
    for (const size of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => sizeToWire(size)).toThrow(
        expect.objectContaining({ code: "MESSAGE_MALFORMED" }),
      );
    }
    for (const wire of [int64ToWire(-1n), int64ToWire(2n ** 60n)]) {
      expect(() => sizeFromWire(wire)).toThrow(
        expect.objectContaining({ code: "MESSAGE_MALFORMED" }),
      );
    }
    expect(sizeFromWire(null)).toBe(0);
  });
});

describe("references inside messages", () => {
  it("survive", () => {
    const at = { address: { host: "10.0.0.7", port: 7077 }, name: "notebook" };
    expect(endpointAddressFromWire(endpointAddressToWire(at))).toEqual(at);
  });

  it("are refused when nobody could follow them", () => {
    expect(() => endpointAddressToWire({ address: null, name: "notebook" })).toThrow(
      expect.objectContaining({ code: "ADDRESS_MISSING" }),
    );
    for (const fields of [
      null,
      {},
      { host: "a", port: 0, name: "n" },
      { host: "", port: 1, name: "n" },
      { host: "a", port: 1, name: "" },
      { host: "a", port: 65_536, name: "n" },
    ]) {
      expect(() => endpointAddressFromWire(fields)).toThrow(
        expect.objectContaining({ code: "MESSAGE_MALFORMED" }),
      );
    }
  });
});
