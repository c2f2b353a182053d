import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identifyForeignProtocol } from "../../src/foreign/foreign-protocol.ts";

/** First bytes as each program really sends them, and a word that the phrase must have. */
const OPENINGS: readonly (readonly [string, Buffer, RegExp])[] = [
  ["a browser", Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), /HTTP request \(GET\)/],
  ["a health check", Buffer.from("OPTIONS * HTTP/1.0\r\n"), /HTTP request \(OPTIONS\)/],
  ["a gRPC client", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), /HTTP\/2/],
  ["a web server", Buffer.from("HTTP/1.1 400 Bad Request\r\n"), /web server/],
  ["a TLS client", Buffer.from("16030102000100", "hex"), /TLS handshake/],
  ["a TLS server", Buffer.from("160303007a020000760303", "hex"), /TLS handshake/],
  ["a TLS peer that gives up", Buffer.from("15030300020228aa", "hex"), /TLS alert/],
  ["an SSH server", Buffer.from("SSH-2.0-OpenSSH_9.6\r\n"), /SSH/],
  ["a load balancer", Buffer.from("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"), /PROXY protocol/],
  ["a newer one", Buffer.from("0d0a0d0a000d0a515549540a2111000c", "hex"), /PROXY protocol/],
  ["a PostgreSQL client", Buffer.from("0000000804d2162f", "hex"), /PostgreSQL/],
  ["an older one", Buffer.from("0000002400030000757365720000", "hex"), /PostgreSQL/],
  ["a MySQL server", Buffer.from("4a0000000a382e302e333600", "hex"), /MySQL/],
  ["a Redis client", Buffer.from("*1\r\n$4\r\nPING\r\n"), /Redis/],
  ["a JVM", Buffer.from("aced0005737200116a617661", "hex"), /Java-serialized/],
  ["a JMX client", Buffer.from("JRMI\0\x02K\0\0"), /RMI/],
  ["a Hadoop client", Buffer.from("hrpc\x09\0\xdf\0\0", "latin1"), /Hadoop/],
  ["an SMB scanner", Buffer.from("00000085ff534d4272000000", "hex"), /SMB/],
  ["an RDP scanner", Buffer.from("030000130ee000000000000100080003", "hex"), /RDP/],
  ["a mail server", Buffer.from("220 mx.example.org ESMTP\r\n"), /mail/],
  ["a port scanner", Buffer.alloc(16), /zero bytes/],
  ["somebody at a terminal", Buffer.from("hello there\r\n"), /text \("hello there/],
];

describe("identifyForeignProtocol", () => {
  it.each(OPENINGS)("recognises %s", (_, bytes, expected) => {
    expect(identifyForeignProtocol(bytes)).toMatch(expected);
  });

  it.each(OPENINGS.filter(([who, bytes]) => bytes.length >= 8 && who !== "a port scanner"))(
    "needs no more than eight bytes of %s",
    (_, bytes) => {
      expect(identifyForeignProtocol(bytes.subarray(0, 8))).not.toBeNull();
    },
  );

  it("says that ciphertext is perhaps an encrypted connection", () => {
    let recognised = 0;
    for (let i = 0; i < 1000; i += 1) {
      if (/perhaps an encrypted/.test(identifyForeignProtocol(randomBytes(16)) ?? "")) {
        recognised += 1;
      }
    }
    expect(recognised).toBeGreaterThan(800);
  });

  it.each([0n, -1n, -8n, 7n, 9n, 21n, 1n << 31n, 1n << 32n, 1n << 62n, -(1n << 63n)])(
    "takes the frame length %d for a damaged or ordinary frame",
    (length) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(length);
      expect(identifyForeignProtocol(bytes)).toBeNull();
    },
  );

  it("answers for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const phrase = identifyForeignProtocol(bytes);
        expect(phrase === null || phrase.length < 300).toBe(true);
      }),
    );
  });
});
