/**
 * Every suite. Spark's send bodies of the given size and get eight bytes back, from threads that wait
 * for each answer; in ours a request and its answer have the same size.
 */
import type { ContenderName, Suite, SuiteLoad } from "./suite.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const SPARK_REPLY_BYTES = 8;
const SPARK_BURST = 5000;
const NOTE_BODY_BYTES = 128;
const MESSAGE_PEERS: readonly ContenderName[] = ["ours", "jvm", "grpc", "net"];
const BYTE_PEERS: readonly ContenderName[] = ["ours", "jvm", "net"];
const SPARK_PEERS: readonly ContenderName[] = ["ours", "jvm"];

const LOAD: SuiteLoad = {
  kind: "rpc",
  connections: 1,
  window: 1,
  pacing: "rolling",
  requestBytes: 4,
  replyBytes: SPARK_REPLY_BYTES,
  region: "memory",
  chunkBytes: [],
  chunksPerStream: 1,
  operationsMin: 10,
  operationsMax: Number.MAX_SAFE_INTEGER,
};

/** In the order in which they run. */
export const SUITES: readonly Suite[] = [
  ...[KIB, 64 * KIB, MIB, 16 * MIB].map((bytes) =>
    sparkRpc(`rpc-sync-${sizeName(bytes)}`, `sync RPC of ${sizeText(bytes)}, one connection`, {
      requestBytes: bytes,
    }),
  ),
  sparkRpc("rpc-sync-1k-16-clients", "sync RPC of 1 KiB, 16 clients", {
    requestBytes: KIB,
    connections: 16,
  }),
  sparkBurst(KIB, SPARK_BURST),
  sparkBurst(64 * KIB, SPARK_BURST),
  // A burst of 5,000 would be 5 GB a round.
  sparkBurst(MIB, SPARK_BURST / 5),
  sparkRpc("block-16m-sequential", "blocks of 16 MiB sent, one after the other", {
    requestBytes: 16 * MIB,
    operationsMin: 20,
  }),
  sparkRpc("block-16m-4-threads", "blocks of 16 MiB sent, 4 at once", {
    requestBytes: 16 * MIB,
    connections: 4,
    operationsMin: 20,
  }),
  sparkFile("file-16m-sequential", "file chunks of 16 MiB, one after the other", 1),
  sparkFile("file-16m-4-clients", "file chunks of 16 MiB, 4 clients", 4),
  ...[64, 256, 1024].map((window) => windowed(64, window)),
  ...[1, 16, 64, 256, 1024].map((window) => windowed(KIB, window)),
  windowed(64 * KIB, 64),
  chunks("memory", 64 * KIB, 64, 1),
  chunks("memory", MIB, 8, 1),
  chunks("memory", MIB, 8, 4),
  chunks("memory", 16 * MIB, 2, 1),
  chunks("memory", 16 * MIB, 2, 4),
  chunks("file", 16 * KIB, 64, 1),
  chunks("file", 64 * KIB, 64, 1),
  chunks("file", MIB, 8, 1),
  chunks("file", MIB, 8, 4),
  {
    ...ours("small-block-storm", "200 x 200 file segments of 10 to 64 KiB, 200 in flight"),
    contenders: SPARK_PEERS,
    load: {
      ...LOAD,
      kind: "chunk",
      region: "file",
      window: 200,
      chunksPerStream: 200,
      chunkBytes: stormSizes(),
      operationsMin: 40_000,
      operationsMax: 40_000,
    },
    quick: { operationsMin: 4000, operationsMax: 4000 },
  },
  {
    ...ours("connect", "connections set up, one request made, closed; 4 at once"),
    unit: "connection",
    contenders: BYTE_PEERS,
    // Closed connections keep their port for a while: a run must not use them up.
    load: { ...LOAD, kind: "connect", connections: 4, operationsMax: 4000 },
    quick: { operationsMax: 1000 },
  },
  {
    ...ours("slow-reader", "15 readers of file chunks of 64 KiB beside one that stopped"),
    measure: "share",
    contenders: SPARK_PEERS,
    load: {
      ...LOAD,
      kind: "slow-reader",
      connections: 15,
      window: 4,
      region: "file",
      chunkBytes: [64 * KIB],
    },
    quick: {},
  },
  {
    ...ours("idle-connections", "memory of 5,000 idle connections"),
    measure: "memory",
    unit: "connection",
    contenders: BYTE_PEERS,
    load: { ...LOAD, kind: "idle", connections: 5000 },
    quick: {},
  },
  {
    ...ours("stopped-readers", "memory of 16 readers that stopped with 64 MiB requested each"),
    measure: "memory",
    unit: "reader",
    contenders: SPARK_PEERS,
    load: {
      ...LOAD,
      kind: "stopped-readers",
      connections: 16,
      window: 64,
      region: "file",
      chunkBytes: [MIB],
    },
    quick: {},
  },
  ...[1, 64].map((window) => asked(window)),
];

/** Suites that can be chosen together by one name. */
export const SUITE_GROUPS: Readonly<Record<string, readonly Suite[]>> = {
  rpc: SUITES.filter(({ service }) => service === "messages"),
};

function ours(name: string, title: string): Omit<Suite, "contenders" | "load" | "quick"> {
  return { name, title, service: "bytes", origin: "bm", measure: "throughput", unit: "operation" };
}

function sparkRpc(name: string, title: string, load: Partial<SuiteLoad>): Suite {
  const isLarge = (load.requestBytes ?? 0) > MIB;
  return {
    ...ours(name, title),
    origin: "spark",
    contenders: isLarge ? BYTE_PEERS : MESSAGE_PEERS,
    load: { ...LOAD, pacing: "blocking", ...load },
    quick: { operationsMin: 4 },
  };
}

function sparkBurst(bytes: number, count: number): Suite {
  return {
    ...ours(`rpc-burst-${sizeName(bytes)}`, `RPCs of ${sizeText(bytes)}, ${count} sent at once`),
    origin: "spark",
    contenders: SPARK_PEERS,
    load: { ...LOAD, pacing: "burst", requestBytes: bytes, window: count, operationsMin: count },
    quick: bytes === KIB ? {} : { window: count / 10, operationsMin: count / 10 },
  };
}

function sparkFile(name: string, title: string, connections: number): Suite {
  return {
    ...ours(name, title),
    origin: "spark",
    contenders: SPARK_PEERS,
    load: {
      ...LOAD,
      kind: "chunk",
      pacing: "blocking",
      region: "file",
      chunkBytes: [16 * MIB],
      connections,
      operationsMin: 100,
    },
    quick: { operationsMin: 20 },
  };
}

function windowed(bytes: number, window: number): Suite {
  const title = `RPC of ${sizeText(bytes)} both ways, ${window} in flight`;
  return {
    ...ours(`rpc-${sizeName(bytes)}-window-${window}`, title),
    contenders: MESSAGE_PEERS,
    load: { ...LOAD, requestBytes: bytes, replyBytes: bytes, window },
    quick: {},
  };
}

function chunks(region: "memory" | "file", bytes: number, window: number, clients: number): Suite {
  const suffix = clients === 1 ? "" : `-${clients}-clients`;
  const where = clients === 1 ? "one connection" : `${clients} connections`;
  const title = `${region} chunks of ${sizeText(bytes)}, ${window} in flight, ${where}`;
  return {
    ...ours(`${region}-${sizeName(bytes)}-window-${window}${suffix}`, title),
    contenders: region === "memory" ? BYTE_PEERS : SPARK_PEERS,
    load: { ...LOAD, kind: "chunk", region, chunkBytes: [bytes], window, connections: clients },
    quick: {},
  };
}

/** A protobuf message of about 160 bytes to a typed endpoint, echoed. */
function asked(window: number): Suite {
  const title = `typed asks of a small protobuf message, echoed, ${window} in flight`;
  return {
    ...ours(`ask-window-${window}`, title),
    service: "messages",
    contenders: ["ours", "grpc"],
    load: { ...LOAD, requestBytes: NOTE_BODY_BYTES, replyBytes: NOTE_BODY_BYTES, window },
    quick: {},
  };
}

/** 200 sizes from 10 to 64 KiB, in an order without runs. */
function stormSizes(): number[] {
  const [least, most, count, stride] = [10 * KIB, 64 * KIB, 200, 77];
  const step = (most - least) / (count - 1);
  return Array.from({ length: count }, (_, at) =>
    Math.round(least + ((at * stride) % count) * step),
  );
}

function sizeName(bytes: number): string {
  return sizeText(bytes).toLowerCase().replace("ib", "").replaceAll(" ", "");
}

function sizeText(bytes: number): string {
  if (bytes >= MIB) return `${bytes / MIB} MiB`;
  return bytes >= KIB ? `${bytes / KIB} KiB` : `${bytes} B`;
}
