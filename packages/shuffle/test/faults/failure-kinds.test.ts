/** Every way in which a fetch fails: what is told, about whom, and after how long. Time is made up. */
import { BlockManagerId, shuffleBlockId } from "@bm/block";
import { nodePlatform, TransportConf } from "@bm/transport";
import { createMemoryNetwork, createSeededRandom, ManualClock } from "@bm/transport/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  BlockFetcherIterator,
  NettyBlockTransferService,
  type ShuffleError,
} from "../../src/index.ts";
import { RecordingListener } from "../fetch/recording-listener.ts";
import { MemoryBlockManager } from "../transfer/memory-block-manager.ts";
import { listenRaw, type RawAnswers } from "./raw-peer.ts";

const HOST = "127.0.0.1";
const PORT = 7000;
const IDS = [0n, 1n, 2n].map((map) => shuffleBlockId(5, map, 1));
const NAMES = IDS.map(({ name }) => name);
const SECOND = 1000;
/** `spark.network.timeout`. */
const TIMEOUT = 120 * SECOND;
/** Three retries; `spark.shuffle.io.retryWait` is 5 s, to which up to a half is added. */
const ATTEMPTS = 4;
const PAUSES = 3 * 7.5 * SECOND;
/** An idle connection is looked at once in a time-out, at the worst just before it is idle. */
const IDLE = 2 * TIMEOUT;

let clock: ManualClock;
let reader: NettyBlockTransferService;
let fate: "accept" | "hang" | "refuse";
let isAlive: boolean;
let answers: RawAnswers;

beforeEach(async () => {
  clock = new ManualClock();
  fate = "accept";
  isAlive = true;
  const onConnect = () => fate;
  const network = createMemoryNetwork(clock, { onConnect });
  const platform = { ...nodePlatform(), clock, network, random: createSeededRandom(1) };
  reader = new NettyBlockTransferService({
    conf: new TransportConf("shuffle"),
    appId: "app-1",
    executorId: "1",
    platform,
    isExecutorAlive: async () => isAlive,
  });
  const ready = reader.init(new MemoryBlockManager());
  const listening = listenRaw(network, PORT, {
    onOpen: (peer) => answers.onOpen(peer),
    onChunk: (peer, index) => answers.onChunk(peer, index),
  });
  await clock.settle();
  await Promise.all([ready, listening]);
});
afterEach(() => reader.abort(new Error("the test is over")));

/** Three chunks, of which `onChunk` says what becomes. */
function opening(onChunk: RawAnswers["onChunk"]): RawAnswers {
  return { onOpen: (peer) => peer.handle(3), onChunk };
}

const served = (index: number): string => `chunk ${index}`;
const silent: RawAnswers = { onOpen: () => {}, onChunk: () => {} };

interface Kind {
  readonly what: string;
  readonly answers?: RawAnswers;
  readonly fate?: "hang" | "refuse";
  readonly isDead?: boolean;
  /** Of each block; those that are not named arrive. */
  readonly codes: readonly (string | null)[];
  readonly withinMs: number;
}

const KINDS: readonly Kind[] = [
  {
    what: "a peer that refuses the connection",
    fate: "refuse",
    codes: ["CONNECT_FAILED", "CONNECT_FAILED", "CONNECT_FAILED"],
    withinMs: PAUSES,
  },
  {
    what: "an executor that the driver knows to be dead",
    fate: "refuse",
    isDead: true,
    codes: ["EXECUTOR_DEAD", "EXECUTOR_DEAD", "EXECUTOR_DEAD"],
    withinMs: 0,
  },
  {
    what: "a peer behind a black hole",
    fate: "hang",
    codes: ["CONNECT_TIMEOUT", "CONNECT_TIMEOUT", "CONNECT_TIMEOUT"],
    withinMs: ATTEMPTS * TIMEOUT + PAUSES,
  },
  {
    what: "a peer that accepts and says nothing",
    answers: silent,
    codes: ["CHANNEL_IDLE", "CHANNEL_IDLE", "CHANNEL_IDLE"],
    withinMs: ATTEMPTS * IDLE + PAUSES,
  },
  {
    what: "a peer that stops in the middle of a chunk",
    answers: opening((peer, index) => index === 0 && peer.chunk(0, served(0), 1000)),
    codes: ["FRAME_TRUNCATED", "FRAME_TRUNCATED", "FRAME_TRUNCATED"],
    withinMs: ATTEMPTS * IDLE + PAUSES,
  },
  {
    what: "a peer that leaves in the middle of a chunk",
    answers: opening((peer, index) => {
      if (index > 0) return;
      peer.chunk(0, served(0), 1000);
      peer.end();
    }),
    codes: ["FRAME_TRUNCATED", "FRAME_TRUNCATED", "FRAME_TRUNCATED"],
    withinMs: PAUSES,
  },
  {
    what: "a peer that leaves after a chunk, each time",
    answers: opening((peer, index) => {
      if (index > 0) return;
      peer.chunk(0, served(0));
      peer.end();
    }),
    // One more block with each connection.
    codes: [null, "STREAM_HANDLE_INVALID", "STREAM_HANDLE_INVALID"],
    withinMs: PAUSES,
  },
  ...[0, -1, 2 ** 40].map((declared) => ({
    what: `a frame that claims ${declared} bytes`,
    answers: opening((peer, index) => index === 0 && peer.chunk(0, served(0), declared)),
    codes: ["FRAME_LENGTH_INVALID", "FRAME_LENGTH_INVALID", "FRAME_LENGTH_INVALID"],
    withinMs: 0,
  })),
  {
    what: "an answer with another number of chunks",
    answers: { onOpen: (peer) => peer.handle(2), onChunk: () => {} },
    codes: ["STREAM_HANDLE_INVALID", "STREAM_HANDLE_INVALID", "STREAM_HANDLE_INVALID"],
    withinMs: 0,
  },
  {
    what: "a chunk that comes twice",
    answers: opening((peer, index) => {
      peer.chunk(index, served(index));
      peer.chunk(index, served(index));
    }),
    codes: [null, null, null],
    withinMs: 0,
  },
  {
    what: "a chunk that nobody asked for",
    answers: opening((peer, index) => {
      if (index === 0) peer.chunk(9, "what is this");
      peer.chunk(index, served(index));
    }),
    codes: [null, null, null],
    withinMs: 0,
  },
  {
    what: "chunks that come after a failure",
    answers: opening((peer, index) => {
      if (index === 1) peer.fail(1, "java.lang.RuntimeException: gone");
      else peer.chunk(index, served(index));
    }),
    codes: [null, "CHUNK_FETCH_FAILED", "CHUNK_FETCH_FAILED"],
    withinMs: 0,
  },
];

describe.each(KINDS)("$what", (kind) => {
  beforeEach(() => {
    fate = kind.fate ?? "accept";
    isAlive = !kind.isDead;
    answers = kind.answers ?? silent;
  });

  it("is told block by block, once, in time", async () => {
    const listener = new RecordingListener();
    const fetched = reader.fetchBlocks(HOST, PORT, "2", NAMES, listener);
    await clock.advanceAndSettle(kind.withinMs);
    // Nothing is told any more, however long one waits.
    expect(listener.told).toBe(NAMES.length);
    await fetched;
    await clock.advanceAndSettle(10 * TIMEOUT);
    expect(NAMES.map((name) => listener.codeOf(name) ?? null)).toEqual(kind.codes);
    const intact = NAMES.map((_name, index) =>
      kind.codes[index] === null ? served(index) : undefined,
    );
    expect(NAMES.map((name) => listener.successes.get(name))).toEqual(intact);
  });

  it("ends a reading with the block and the place that are to blame", async () => {
    const location = BlockManagerId.of("2", HOST, PORT);
    const blocks = IDS.map((blockId, map) => ({ blockId, size: 10, mapIndex: 40 + map }));
    const reading = new BlockFetcherIterator({
      localId: BlockManagerId.of("1", "here", 1),
      blockManager: new MemoryBlockManager(),
      client: reader,
      random: createSeededRandom(1),
      blocks: [{ location, blocks }],
    });
    const read = readAll(reading);
    await clock.advanceAndSettle(kind.withinMs);
    const { failure, names } = await read;
    const first = kind.codes.findIndex((code) => code !== null);
    if (first === -1) {
      expect([failure, names]).toEqual([null, NAMES]);
      return;
    }
    expect(failure).toMatchObject({ code: "FETCH_FAILED", cause: { code: kind.codes[first] } });
    const { mapId, reduceId, shuffleId } = IDS[first]!;
    expect(failure?.culprit).toEqual({
      location,
      shuffleId,
      mapId,
      reduceId,
      mapIndex: 40 + first,
    });
  });
});

async function readAll(reading: BlockFetcherIterator) {
  const names: string[] = [];
  try {
    for await (const { blockId, buffer } of reading) {
      names.push(blockId.name);
      buffer.release();
    }
  } catch (error) {
    return { names, failure: error as ShuffleError };
  }
  return { names, failure: null };
}
