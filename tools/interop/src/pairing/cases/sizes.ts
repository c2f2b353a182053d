/** Every kind of body in every size at which some buffer of either implementation ends. */
import type { PeerRequest } from "../contract.ts";
import type { PairingCase } from "../pairing.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Content of a frame before the body of an answer: type, id and length or index. */
const HEADER_BYTES = 13;

const BUFFERS: readonly (readonly [name: string, bytes: number])[] = [
  ["32 KiB, a piece of Spark's ciphers", 32 * KIB],
  ["64 KiB, a piece of Spark's TLS and our shortest direct read", 64 * KIB],
  ["128 KiB, our shortest pooled block", 128 * KIB],
  ["256 KiB, our socket reads and Spark's writes", 256 * KIB],
  ["512 KiB, our pieces of files", 512 * KIB],
  ["1 MiB, our gathered writes", MIB],
  ["2 MiB, where Spark maps files", 2 * MIB],
];

/** Here only some operations are tried: they take their time. */
const LARGE_BUFFERS: readonly (readonly [name: string, bytes: number])[] = [
  ["8 MiB, our high-water mark", 8 * MIB],
  ["20 MiB, what both gather a frame in", 20 * MIB],
];

type Ask = (size: number) => PeerRequest;

const OPERATIONS: Readonly<Record<string, Ask>> = {
  "RPC answers": (size) => ({ op: "rpc", size }),
  "RPC requests": (size) => ({ op: "rpc", command: "echo", size }),
  "memory chunks": (size) => ({ op: "chunk", kind: "memory", size, times: 2 }),
  "file chunks": (size) => ({ op: "chunk", kind: "file", size, times: 2 }),
  "memory streams": (size) => ({ op: "stream", kind: "memory", size, first: 1 }),
  "file streams": (size) => ({ op: "stream", kind: "file", size, first: 1 }),
  "uploads from memory": (size) => ({ op: "upload", kind: "memory", size }),
  "uploads from files": (size) => ({ op: "upload", kind: "file", size }),
};

const LARGE_OPERATIONS: Readonly<Record<string, Ask>> = {
  "memory chunks": (size) => ({ op: "chunk", kind: "memory", size }),
  "file chunks": (size) => ({ op: "chunk", kind: "file", size }),
  "file streams": (size) => ({ op: "stream", kind: "file", size }),
};

/** See the file comment. */
export const SIZE_CASES: readonly PairingCase[] = [
  ...Object.entries(OPERATIONS).flatMap(([name, ask]) => [
    transferCase(`${name} of 0, 1 and 1,000 bytes`, ask, [0, 1, 1000]),
    ...BUFFERS.map(([buffer, bytes]) =>
      transferCase(`${name} around ${buffer}`, ask, around(bytes)),
    ),
  ]),
  ...Object.entries(LARGE_OPERATIONS).flatMap(([name, ask]) => [
    ...LARGE_BUFFERS.map(([buffer, bytes]) =>
      transferCase(`${name} around ${buffer}`, ask, aroundOnce(bytes)),
    ),
    transferCase(`${name} of 64 MiB`, ask, [64 * MIB]),
  ]),
  transferCase("RPC answers of 16 MiB", (size) => ({ op: "rpc", size }), [16 * MIB]),
  transferCase("RPC requests of 16 MiB", (size) => ({ op: "rpc", command: "echo", size }), [
    16 * MIB,
  ]),
  transferCase("uploads from memory of 64 MiB", (size) => ({ op: "upload", size }), [64 * MIB]),
  transferCase("uploads from files of 64 MiB", (size) => ({ op: "upload", kind: "file", size }), [
    64 * MIB,
  ]),
];

/** The body, and the content of its frame, ends just before, at and just behind the border. */
function around(bytes: number): number[] {
  return [-1, 0, 1].flatMap((off) => [bytes - HEADER_BYTES + off, bytes + off]);
}

function aroundOnce(bytes: number): number[] {
  return [bytes - HEADER_BYTES, bytes - HEADER_BYTES + 1, bytes, bytes + 1];
}

function transferCase(name: string, ask: Ask, sizes: readonly number[]): PairingCase {
  const requests = sizes.map(ask);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const times = requests[0]?.times ?? 1;
  const isUpload = requests[0]?.op === "upload";
  return {
    name,
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      const { bytes, outcomes } = await client.ask(...requests);
      const { uploadedBytes } = await server.report();
      return { outcomes, bytes: isUpload ? uploadedBytes : bytes };
    },
    expected: { outcomes: { ok: sizes.length * times }, bytes: total * times },
  };
}
