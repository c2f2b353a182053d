/** Requests that no honest client sends, as the bytes of their messages. None may be answered with data. */
import { ByteWriter } from "@bm/transport";
import { type BlockTransferMessage, encodeBlockTransferMessage } from "../../src/index.ts";
import { APP } from "./service-under-test.ts";

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;
const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;

export interface HostileRequest {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a catalogue is made for: an executor `1` of `APP` is registered under `root`. */
export interface HostilePlace {
  readonly root: string;
  /** A directory that the service must not read. */
  readonly outside: string;
}

/** All of them, each under a name of its own. */
export function hostileRequests(place: HostilePlace, golden: readonly string[]): HostileRequest[] {
  return [
    ...named("names to open", blockNames(place).map(openOne)),
    ...named("names to remove", blockNames(place).map(removeOne)),
    ...named("directories", directories(place).map(registration)),
    ...named("ids of others", strangers().flatMap(fetchesOf)),
    ...named("numbers", numbers()),
    ...named("corruption", diagnoses()),
    ...named("merges", merges()),
    ...named("local directories", localDirs()),
    ...named("unexpected kinds", unexpected()),
    ...named("unknown kinds", [4, 5, 20, 21, 64, 127, -1, -128].map(bareType)),
    ...named("counts", [0, 2, 7, 9, 10, 15].flatMap(countsOf)),
    ...named("cut messages", golden.flatMap(cuts)),
  ];
}

function named(kind: string, messages: readonly Uint8Array[]): HostileRequest[] {
  return messages.map((bytes, index) => ({ name: `${kind} ${index}`, bytes }));
}

function blockNames({ outside }: HostilePlace): string[] {
  const up = "../".repeat(12);
  return [
    `rdd_0_${up}${outside}/secret`,
    `${up}etc/passwd`,
    "/etc/passwd",
    `${outside}/secret`,
    "..",
    "",
    "\0",
    "rdd_0_0\0",
    "rdd_0_0/../../secret",
    "rdd_-1_0",
    "rdd_0x0_0",
    "rdd_1e1_0",
    "rdd_ 0_0",
    "rdd_99999999999_0",
    "rdd__",
    "shuffle_0_0_0/../secret",
    "shuffle_0_0_0.data.x",
    "shuffle_0_0_1.index",
    "shuffle_0_0_0.checksum.ADLER32",
    "shuffle_-1_0_0",
    "shuffle_0_9223372036854775807_0",
    "shuffle_0_0",
    "shuffle_0_0_0_1_2",
    "shuffleChunk_0_0_0_../0",
    "shuffleMerged_app_0_0_0.data",
    "temp_local_0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    "broadcast_0_piece0",
    "bm-registered-executors.ldb",
    "..\\secret",
    "%2e%2e%2fsecret",
    "rdd_0_0".repeat(10_000),
    "\u202e\ud800",
  ];
}

const ids = { appId: APP, execId: "1" };

function openOne(name: string): Uint8Array {
  return encodeBlockTransferMessage({ type: "OpenBlocks", ...ids, blockIds: [name] });
}

function removeOne(name: string): Uint8Array {
  return encodeBlockTransferMessage({ type: "RemoveBlocks", ...ids, blockIds: [name] });
}

function directories({ outside, root }: HostilePlace): string[] {
  return [
    outside,
    "/",
    "/etc",
    "/proc/self",
    "..",
    ".",
    "",
    "relative",
    `${root}/../`,
    `${root}/x/../../etc`,
    `${root}\0/x`,
    `${root}-neighbour`,
    `${root}/${"a".repeat(5000)}`,
    `${root}/${"a/".repeat(3000)}`,
    `${root}/./.././${outside}`,
  ];
}

function registration(dir: string): Uint8Array {
  const executorInfo = { localDirs: [dir], subDirsPerLocalDir: 64, shuffleManager: "sort" };
  return encodeBlockTransferMessage({
    type: "RegisterExecutor",
    appId: APP,
    execId: "evil",
    executorInfo,
  });
}

/** Applications and executors that do not exist, or look like those that do. */
function strangers(): [string, string][] {
  return [
    ["app-other", "1"],
    [APP, "2"],
    [APP, "1 "],
    [APP, "01"],
    [APP, "../1"],
    [`${APP}/../${APP}`, "1"],
    [APP.toUpperCase(), "1"],
    ["", "1"],
    [APP, ""],
    ["__proto__", "constructor"],
    [`${APP}\0`, "1"],
    ["x".repeat(100_000), "1"],
  ];
}

function fetchesOf([appId, execId]: [string, string]): Uint8Array[] {
  return [
    fetchOf({ appId, execId }),
    encodeBlockTransferMessage({ type: "RemoveBlocks", appId, execId, blockIds: ["rdd_0_0"] }),
  ];
}

interface Fetch {
  readonly appId?: string;
  readonly execId?: string;
  readonly shuffleId?: number;
  readonly mapIds?: readonly bigint[];
  readonly reduceIds?: readonly (readonly number[])[];
  readonly batchFetchEnabled?: boolean;
}

function fetchOf(fetch: Fetch): Uint8Array {
  const honest = { shuffleId: 0, mapIds: [0n], reduceIds: [[0]], batchFetchEnabled: false };
  return encodeBlockTransferMessage({ type: "FetchShuffleBlocks", ...ids, ...honest, ...fetch });
}

function numbers(): Uint8Array[] {
  const batches = [
    [1, 0],
    [-1, 1],
    [0, INT_MAX],
    [INT_MIN, INT_MAX],
    [INT_MAX, INT_MIN],
    [4, 5],
  ];
  return [
    ...[-1, INT_MIN, INT_MAX].map((shuffleId) => fetchOf({ shuffleId })),
    ...[-1n, LONG_MIN, LONG_MAX, 2n ** 53n + 1n].map((mapId) => fetchOf({ mapIds: [mapId] })),
    ...[-1, INT_MIN, INT_MAX, 4].map((reduceId) => fetchOf({ reduceIds: [[reduceId]] })),
    ...batches.map((range) => fetchOf({ reduceIds: [range], batchFetchEnabled: true })),
  ];
}

function diagnoses(): Uint8Array[] {
  const honest = { ...ids, shuffleId: 0, mapId: 0n, reduceId: 0, checksum: 1n };
  const diagnosis = (over: object): Uint8Array =>
    encodeBlockTransferMessage({
      type: "DiagnoseCorruption",
      ...honest,
      algorithm: "ADLER32",
      ...over,
    });
  return [
    diagnosis({ algorithm: "../../secret" }),
    diagnosis({ algorithm: "" }),
    diagnosis({ algorithm: "ADLER32\0" }),
    diagnosis({ algorithm: "x".repeat(100_000) }),
    diagnosis({ execId: "nobody" }),
    diagnosis({ reduceId: -1 }),
    diagnosis({ reduceId: INT_MAX }),
    diagnosis({ mapId: LONG_MIN }),
    diagnosis({ execId: "shuffle-push-merger", mapId: LONG_MIN }),
    diagnosis({ execId: "shuffle-push-merger", mapId: LONG_MAX }),
  ];
}

function merges(): Uint8Array[] {
  const merger = { appId: APP, execId: "shuffle-push-merger", shuffleId: 0, shuffleMergeId: 0 };
  const chunks = (over: object): Uint8Array =>
    encodeBlockTransferMessage({
      type: "FetchShuffleBlockChunks",
      ...merger,
      reduceIds: [0],
      chunkIds: [[0]],
      ...over,
    });
  const finalize = { type: "FinalizeShuffleMerge", appId: APP, appAttemptId: -1 } as const;
  return [
    chunks({ appId: "app-other" }),
    chunks({ shuffleId: INT_MIN }),
    chunks({ shuffleMergeId: -1 }),
    chunks({ reduceIds: [-1] }),
    chunks({ chunkIds: [[INT_MAX, -1]] }),
    encodeBlockTransferMessage({ ...finalize, shuffleId: -1, shuffleMergeId: -1 }),
    encodeBlockTransferMessage({ ...finalize, appId: "../x", shuffleId: 0, shuffleMergeId: 0 }),
  ];
}

function localDirs(): Uint8Array[] {
  const lists = [["2"], ["1", "1"], ["1", "../1"], ["__proto__"], ["shuffle-push-merger"], [""]];
  return lists.map((execIds) =>
    encodeBlockTransferMessage({ type: "GetLocalDirsForExecutors", appId: APP, execIds }),
  );
}

/** Answers, and what only executors take. */
function unexpected(): Uint8Array[] {
  const messages: BlockTransferMessage[] = [
    { type: "StreamHandle", streamId: 1, numChunks: 1 },
    { type: "BlocksRemoved", numRemovedBlocks: INT_MAX },
    { type: "LocalDirsForExecutors", localDirsByExec: new Map([["1", ["/etc"]]]) },
    { type: "CorruptionCause", cause: "DISK_ISSUE" },
  ];
  return messages.map(encodeBlockTransferMessage);
}

function bareType(type: number): Uint8Array {
  return Uint8Array.of(type & 0xff);
}

/** A list that claims more, or less, than the message has. */
function countsOf(type: number): Uint8Array[] {
  return [INT_MAX, -1, INT_MIN, 1_000_000].map((count) =>
    new ByteWriter(64)
      .writeInt8(type)
      .writeString(APP)
      .writeString("1")
      .writeInt32(count)
      .writeInt32(count)
      .finish(),
  );
}

function cuts(hex: string): Uint8Array[] {
  const whole = Buffer.from(hex, "hex");
  return whole.length < 4 ? [] : [whole.subarray(0, whole.length >> 1), whole.subarray(0, 2)];
}
