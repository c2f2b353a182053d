import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as block from "../src/index.ts";
import {
  BlockError,
  type BlockId,
  type BlockIdKind,
  equalBlockIds,
  parseBlockId,
  tryParseBlockId,
} from "../src/index.ts";
import recorded from "./vectors/block-ids.json" with { type: "json" };

interface BlockIdVectors {
  readonly valid: readonly {
    readonly name: string;
    readonly kind: string;
    readonly fields: Readonly<Record<string, string | number | undefined>>;
    readonly canonical: string;
    readonly roundTrips: boolean;
    readonly isRDD: boolean;
    readonly isShuffle: boolean;
    readonly isShuffleChunk: boolean;
    readonly isBroadcast: boolean;
  }[];
  readonly invalid: readonly {
    readonly name: string;
    readonly error: string;
    readonly message: string;
  }[];
  readonly constructibleOnly: readonly {
    readonly kind: string;
    readonly name: string;
    readonly parseError: string;
  }[];
}

/** Recorded from Spark 4.1.2. */
const VECTORS: BlockIdVectors = recorded;

const SPARK_CLASSES: Readonly<Record<BlockIdKind, string>> = {
  rdd: "RDDBlockId",
  shuffle: "ShuffleBlockId",
  shuffleBatch: "ShuffleBlockBatchId",
  shuffleChunk: "ShuffleBlockChunkId",
  shuffleData: "ShuffleDataBlockId",
  shuffleIndex: "ShuffleIndexBlockId",
  shuffleChecksum: "ShuffleChecksumBlockId",
  shufflePush: "ShufflePushBlockId",
  shuffleMerged: "ShuffleMergedBlockId",
  shuffleMergedData: "ShuffleMergedDataBlockId",
  shuffleMergedIndex: "ShuffleMergedIndexBlockId",
  shuffleMergedMeta: "ShuffleMergedMetaBlockId",
  broadcast: "BroadcastBlockId",
  taskResult: "TaskResultBlockId",
  stream: "StreamBlockId",
  pythonStream: "PythonStreamBlockId",
  tempLocal: "TempLocalBlockId",
  tempShuffle: "TempShuffleBlockId",
  test: "TestBlockId",
  testLog: "TestLogBlockId",
  pythonWorkerLog: "PythonWorkerLogBlockId",
  cache: "CacheId",
};

const SPARK_ERRORS: Readonly<Record<string, string>> = {
  UnrecognizedBlockId: "UNRECOGNIZED_BLOCK_ID",
  NumberFormatException: "BLOCK_ID_NUMBER_INVALID",
  IllegalArgumentException: "BLOCK_ID_UUID_INVALID",
};

describe("parseBlockId agrees with Spark", () => {
  for (const vector of VECTORS.valid) {
    it(`reads ${JSON.stringify(vector.name)} as ${vector.kind}`, () => {
      const id = parseBlockId(vector.name);
      expect(id.name).toBe(vector.canonical);
      expect(id.name === vector.name).toBe(vector.roundTrips);
      expect(SPARK_CLASSES[id.kind]).toBe(vector.kind);
      expect(fieldsOf(id)).toEqual(vector.fields);
      expect(block.isRdd(id)).toBe(vector.isRDD);
      expect(block.isShuffle(id)).toBe(vector.isShuffle);
      expect(block.isShuffleChunk(id)).toBe(vector.isShuffleChunk);
      expect(block.isBroadcast(id)).toBe(vector.isBroadcast);
    });
  }

  for (const { name, error, message } of VECTORS.invalid) {
    it(`refuses ${JSON.stringify(name)} with the error that stands for ${error}`, () => {
      const failure = failureOf(() => parseBlockId(name));
      expect(failure.code).toBe(SPARK_ERRORS[error]);
      expect(failure.message).toBe(message);
      expect(failure.javaClass.split(".").at(-1)).toBe(error);
      expect(tryParseBlockId(name)).toBeNull();
    });
  }

  const constructible: readonly BlockId[] = [
    block.cacheBlockId("11111111-2222-3333-4444-555555555555", "abcdef0123"),
    block.shuffleChecksumBlockId(1, 2n),
    block.shuffleMergedDataBlockId("app-20240101000000-0000", 0, 0, 9),
    block.rddBlockId(-1, 0),
    block.broadcastBlockId(3n, "a-b"),
  ];

  it("can make names that do not parse", () => {
    const made = constructible.map((id) => ({
      kind: SPARK_CLASSES[id.kind],
      name: id.name,
      parseError: "UnrecognizedBlockId",
    }));
    expect(made).toEqual(VECTORS.constructibleOnly);
    for (const { name } of constructible) {
      expect(failureOf(() => parseBlockId(name)).code).toBe("UNRECOGNIZED_BLOCK_ID");
    }
  });
});

describe("the corners of the grammar", () => {
  it("takes any one code point before the suffix, a surrogate pair included", () => {
    expect(parseBlockId("shuffle_1_2_3😀data").name).toBe("shuffle_1_2_3.data");
    expect(parseBlockId("shuffleMerged_a_1_2_3-index").name).toBe("shuffleMerged_a_1_2_3.index");
  });

  for (const end of ["\n", "\r", "\u0085", "\u2028", "\u2029"]) {
    it(`does not let the wildcard take the line end ${JSON.stringify(end)}`, () => {
      expect(tryParseBlockId(`shuffle_1_2_3${end}data`)).toBeNull();
      expect(tryParseBlockId(`test_a${end}b`)).toBeNull();
    });
  }

  it("gives the application id as much of the name as it can", () => {
    expect(parseBlockId("shuffleMerged_1_2_3_4_5_6.meta")).toMatchObject({
      appId: "1_2_3",
      shuffleId: 4,
      shuffleMergeId: 5,
      reduceId: 6,
    });
  });

  it("takes any number of leading zeros, but no number that does not fit", () => {
    expect(parseBlockId(`rdd_${"0".repeat(1000)}7_1`).name).toBe("rdd_7_1");
    expect(parseBlockId(`taskresult_${"0".repeat(1000)}9223372036854775807`)).toMatchObject({
      taskId: 2n ** 63n - 1n,
    });
    const endless = `taskresult_${"9".repeat(1_000_000)}`;
    expect(failureOf(() => parseBlockId(endless)).code).toBe("BLOCK_ID_NUMBER_INVALID");
  });

  const uuids: readonly (readonly [string, string])[] = [
    ["1-2-3-4-5", "00000001-0002-0003-0004-000000000005"],
    ["123456789-12345-6-7-8", "23456789-2345-0006-0007-000000000008"],
    ["A-B-C-D-7fffffffffffffff", "0000000a-000b-000c-000d-ffffffffffff"],
  ];
  for (const [text, canonical] of uuids) {
    it(`makes the UUID ${text} into ${canonical}`, () => {
      expect(parseBlockId(`temp_local_${text}`)).toMatchObject({ id: canonical });
      expect(block.tempShuffleBlockId(text).name).toBe(`temp_shuffle_${canonical}`);
    });
  }

  const badUuids: readonly (readonly [string, string])[] = [
    ["1-2-3-4", "BLOCK_ID_UUID_INVALID"],
    ["1-2-3-4-5-6", "BLOCK_ID_UUID_INVALID"],
    ["123e4567-e89b-12d3-a456-4266141740001", "BLOCK_ID_UUID_INVALID"],
    ["1-2--4-5", "BLOCK_ID_NUMBER_INVALID"],
    ["1-2-3-4-8000000000000000", "BLOCK_ID_NUMBER_INVALID"],
  ];
  for (const [text, code] of badUuids) {
    it(`refuses the UUID ${text} with ${code}`, () => {
      expect(failureOf(() => parseBlockId(`temp_local_${text}`)).code).toBe(code);
      expect(failureOf(() => block.tempLocalBlockId(text)).code).toBe(code);
    });
  }
});

describe("block ids", () => {
  const int = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  const long = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
  const word = fc.stringMatching(/^[A-Za-z0-9]{0,9}$/);
  const app = fc.stringMatching(/^[_A-Za-z0-9]{0,9}$/);
  const uuid = fc.uuid();
  const parseable = fc.oneof(
    fc.tuple(int, int).map((f) => block.rddBlockId(...f)),
    fc.tuple(int, long, int).map((f) => block.shuffleBlockId(...f)),
    fc.tuple(int, long, int, int).map((f) => block.shuffleBlockBatchId(...f)),
    fc.tuple(int, long, int).map((f) => block.shuffleDataBlockId(...f)),
    fc.tuple(int, long, int).map((f) => block.shuffleIndexBlockId(...f)),
    fc.tuple(int, int, int, int).map((f) => block.shufflePushBlockId(...f)),
    fc.tuple(int, int, int).map((f) => block.shuffleMergedBlockId(...f)),
    fc.tuple(int, int, int, int).map((f) => block.shuffleBlockChunkId(...f)),
    fc.tuple(app, int, int, int).map((f) => block.shuffleMergedDataBlockId(...f)),
    fc.tuple(app, int, int, int).map((f) => block.shuffleMergedIndexBlockId(...f)),
    fc.tuple(app, int, int, int).map((f) => block.shuffleMergedMetaBlockId(...f)),
    fc.tuple(long, word).map((f) => block.broadcastBlockId(...f)),
    long.map((taskId) => block.taskResultBlockId(taskId)),
    fc.tuple(int, long).map((f) => block.streamBlockId(...f)),
    fc.tuple(int, long).map((f) => block.pythonStreamBlockId(...f)),
    uuid.map((id) => block.tempLocalBlockId(id)),
    uuid.map((id) => block.tempShuffleBlockId(id)),
    word.map((id) => block.testBlockId(id)),
    fc.tuple(long, word).map((f) => block.testLogBlockId(...f)),
    fc.tuple(long, word, word, word).map((f) => block.pythonWorkerLogBlockId(...f)),
  );

  it("come back from their names", () => {
    fc.assert(
      fc.property(parseable, (id) => {
        expect(parseBlockId(id.name)).toEqual(id);
        expect(equalBlockIds(parseBlockId(id.name), id)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("are either read from a text or refused with one of three codes", () => {
    const almost = fc
      .tuple(parseable, fc.nat(40), fc.nat(3), fc.string())
      .map(([{ name }, at, cut, insert]) => name.slice(0, at) + insert + name.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(fc.string(), almost), (text) => {
        const id = tryParseBlockId(text);
        const isRight =
          id === null
            ? Object.values(SPARK_ERRORS).includes(failureOf(() => parseBlockId(text)).code)
            : equalBlockIds(parseBlockId(id.name), id);
        expect(isRight).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("are equal by kind and fields, not by name alone", () => {
    const split = block.pythonWorkerLogBlockId(1n, "a_b", "c", "d");
    const other = block.pythonWorkerLogBlockId(1n, "a", "b_c", "d");
    expect(split.name).toBe(other.name);
    expect(equalBlockIds(split, other)).toBe(false);
    expect(equalBlockIds(block.testBlockId("log_1_x"), block.testLogBlockId(1n, "x"))).toBe(false);
    expect(equalBlockIds(block.rddBlockId(1, 2), block.rddBlockId(1, 2))).toBe(true);
  });

  it("of log lines are told apart from the rest", () => {
    expect(block.isLog(block.testLogBlockId(1n, "x"))).toBe(true);
    expect(block.isLog(block.pythonWorkerLogBlockId(1n, "a", "b", "c"))).toBe(true);
    expect(block.isLog(block.testBlockId("x"))).toBe(false);
  });

  it("have no shuffle among the checksum, pushed, merged and chunk kinds", () => {
    const others = [
      block.shuffleChecksumBlockId(1, 2n),
      block.shufflePushBlockId(1, 2, 3, 4),
      block.shuffleMergedBlockId(1, 2, 3),
      block.shuffleBlockChunkId(1, 2, 3, 4),
    ];
    expect(others.filter((id) => block.isShuffle(id))).toEqual([]);
  });

  for (const number of [Number.NaN, 1.5, 2 ** 31, -(2 ** 31) - 1, Number.POSITIVE_INFINITY]) {
    it(`cannot be made with ${number} for an int`, () => {
      expect(failureOf(() => block.shuffleBlockId(0, 0n, number)).code).toBe(
        "BLOCK_ID_NUMBER_INVALID",
      );
    });
  }

  it("cannot be made with a bigint above 64 bits", () => {
    expect(failureOf(() => block.taskResultBlockId(2n ** 63n)).code).toBe(
      "BLOCK_ID_NUMBER_INVALID",
    );
  });
});

/** The fields as the vectors have them: 64-bit numbers as texts. */
function fieldsOf(id: BlockId): Record<string, unknown> {
  const entries = Object.entries(id).filter(([key]) => key !== "kind" && key !== "name");
  return Object.fromEntries(
    entries.map(([key, value]: [string, unknown]) => [
      key,
      typeof value === "bigint" ? String(value) : value,
    ]),
  );
}

function failureOf(act: () => unknown): BlockError {
  try {
    act();
  } catch (error) {
    if (error instanceof BlockError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
