import { equalRpcAddresses, formatRpcAddress, parseRpcAddress } from "@bm/rpc";
import { describe, expect, it } from "vitest";

describe("the address of an environment", () => {
  it("is written as host and port", () => {
    for (const [text, host, port] of [
      ["driver.example:7077", "driver.example", 7077],
      ["127.0.0.1:1", "127.0.0.1", 1],
      ["[::1]:65535", "::1", 65_535],
    ] as const) {
      expect(parseRpcAddress(text)).toEqual({ host, port });
      expect(formatRpcAddress({ host, port })).toBe(text);
      expect(equalRpcAddresses(parseRpcAddress(text), { host, port })).toBe(true);
    }
  });

  it("is refused in any other form", () => {
    for (const text of ["", "host", ":7", "host:", "host:0", "host:65536", "::1:7", "host:7x"]) {
      expect(() => parseRpcAddress(text), text).toThrow(
        expect.objectContaining({ code: "ADDRESS_INVALID" }),
      );
    }
  });
});
