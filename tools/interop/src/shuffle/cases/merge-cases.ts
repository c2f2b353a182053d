/** Push-merge: pushes in every order and state, the end of merging, reading and removing. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Application, MERGER, pushedContent } from "../service-meeting.ts";
import type { ServiceCase } from "./case.ts";

const KIB = 1024;
const LARGE_BYTES = 600 * KIB;
const COLLISION = "experienced merge collision on the server side";
const NO_RETRIES = { "spark.shuffle.io.maxRetries": "0" };
/** Releases before 3.4 cannot remove what was merged. */
const REMOVING = /^(3[.][4-9]|[4-9])/;
const IDS = { shuffleId: 3, mergeId: 1 };

/** See the file comment. The services close a chunk at 100 bytes. */
export const MERGE_CASES: readonly ServiceCase[] = [
  {
    name: "blocks are pushed, merged in their order and read as chunks",
    messages: [
      "PushBlockStream",
      "BlockPushReturnCode",
      "FinalizeShuffleMerge",
      "MergeStatuses",
      "MergedBlockMetaRequest",
      "FetchShuffleBlockChunks",
    ],
    run: async (application) => {
      await application.registerMerging();
      const pushes = [
        await application.push(pushId(4, 0), 60),
        await application.push(pushId(2, 0), 70),
        await application.push(pushId(7, 0), 50),
        await application.push(pushId(2, 1), LARGE_BYTES),
      ];
      const merged = await application.ask("finalize", IDS, "merged");
      const chunks = await application.ask("meta", { ...IDS, reduceId: 0 }, "chunks");
      const read = await fetchChunks(application, [
        [0, 0, [pushId(4, 0), 60], [pushId(2, 0), 70]],
        [0, 1, [pushId(7, 0), 50]],
        [1, 0, [pushId(2, 1), LARGE_BYTES]],
      ]);
      return { pushes, merged, chunks, read };
    },
    expected: {
      pushes: ["pushed", "pushed", "pushed", "pushed"],
      merged: { 0: "180:{2,4,7}", 1: `${LARGE_BYTES}:{2}` },
      chunks: "{2,4};{7}",
      read: {
        shuffleChunk_3_1_0_0: "right",
        shuffleChunk_3_1_0_1: "right",
        shuffleChunk_3_1_1_0: "right",
      },
    },
  },
  {
    name: "merged chunks into files",
    messages: ["FetchShuffleBlockChunks"],
    run: async (application) => {
      await application.registerMerging();
      await application.push(pushId(0, 0), 300);
      await application.ask("finalize", IDS);
      const wanted: WantedChunk[] = [[0, 0, [pushId(0, 0), 300]]];
      return fetchChunks(application, wanted, { dir: application.root });
    },
    expected: { shuffleChunk_3_1_0_0: "right" },
  },
  {
    name: "a block is pushed twice and merged once",
    messages: ["PushBlockStream"],
    run: async (application) => {
      await application.registerMerging();
      const pushes = [
        await application.push(pushId(1, 0), 40),
        await application.push(pushId(1, 0), 40),
      ];
      return { pushes, merged: await application.ask("finalize", IDS, "merged") };
    },
    expected: { pushes: ["pushed", "pushed"], merged: { 0: "40:{1}" } },
  },
  {
    name: "a block is pushed too late",
    messages: ["PushBlockStream", "FinalizeShuffleMerge"],
    run: async (application) => {
      await application.registerMerging();
      await application.push(pushId(1, 0), 40);
      await application.ask("finalize", IDS);
      return [
        await application.push(pushId(2, 0), 40),
        await application.push(pushId(2, 5), 40),
        await application.ask("meta", { ...IDS, reduceId: 0 }, "chunks"),
      ];
    },
    expected: [
      "is received after merged shuffle is finalized",
      "is received after merged shuffle is finalized",
      "{1}",
    ],
  },
  {
    name: "blocks of two maps are pushed to one partition at once",
    messages: ["PushBlockStream"],
    run: async (application, meeting) => {
      await application.registerMerging();
      const port = await meeting.relay({ bytesPerTick: 60 * KIB });
      const slow = application.push(pushId(1, 0), LARGE_BYTES, { port });
      // The slow block owns the partition from its first bytes on.
      const { merged: before, outcome } = await pushUntilRefused(application);
      const later = await application.push(pushId(3, 0), 50);
      const ends = {
        slow: await slow,
        outcome,
        later: await pushedAtLast(application, pushId(3, 0), 50),
      };
      const merged = await application.ask("finalize", IDS, "merged");
      const maps = [1, 3, ...before].join(",");
      const whole = { 0: `${LARGE_BYTES + 50 + 10 * before.length}:{${maps}}` };
      return { ...ends, early: later, isWhole: isDeepStrictEqual(merged, whole) };
    },
    expected: {
      slow: "pushed",
      outcome: COLLISION,
      early: COLLISION,
      later: "pushed",
      isWhole: true,
    },
  },
  {
    name: "a push breaks off, and another map's block takes its place",
    messages: ["PushBlockStream"],
    run: async (application, meeting) => {
      await application.registerMerging();
      const cut = { after: LARGE_BYTES / 2, direction: "requests", how: "end" } as const;
      const port = await meeting.relay({ cut });
      const broken = await application.push(pushId(1, 0), LARGE_BYTES, { port, conf: NO_RETRIES });
      const other = await pushedAtLast(application, pushId(2, 0), 70);
      const again = await application.push(pushId(1, 0), LARGE_BYTES);
      const merged = await application.ask("finalize", IDS, "merged");
      const wanted: WantedChunk[] = [[0, 0, [pushId(2, 0), 70], [pushId(1, 0), LARGE_BYTES]]];
      const isBroken = broken !== "pushed";
      return { isBroken, other, again, merged, read: await fetchChunks(application, wanted) };
    },
    expected: {
      isBroken: true,
      other: "pushed",
      again: "pushed",
      merged: { 0: `${LARGE_BYTES + 70}:{1,2}` },
      read: { shuffleChunk_3_1_0_0: "right" },
    },
  },
  {
    name: "the connection breaks in the middle of a push, which is tried again",
    messages: ["PushBlockStream"],
    run: async (application, meeting) => {
      await application.registerMerging();
      const after = LARGE_BYTES / 2;
      const cut = { after, direction: "requests", how: "end", isOnce: true } as const;
      const port = await meeting.relay({ cut });
      const outcome = await application.push(pushId(1, 0), LARGE_BYTES, { port });
      const merged = await application.ask("finalize", IDS, "merged");
      const wanted: WantedChunk[] = [[0, 0, [pushId(1, 0), LARGE_BYTES]]];
      return { outcome, merged, read: await fetchChunks(application, wanted) };
    },
    expected: {
      outcome: "pushed",
      merged: { 0: `${LARGE_BYTES}:{1}` },
      read: { shuffleChunk_3_1_0_0: "right" },
    },
  },
  {
    name: "blocks of an older and a newer attempt at the shuffle",
    messages: ["PushBlockStream", "FinalizeShuffleMerge"],
    run: async (application) => {
      await application.registerMerging();
      const first = await application.push(pushId(1, 0, 5), 40);
      const stale = await application.push(pushId(2, 0, 4), 40);
      const newer = await application.push(pushId(3, 0, 6), 45);
      const old = await application.push(pushId(4, 0, 5), 40);
      const finalized = [
        await application.ask("finalize", { shuffleId: 3, mergeId: 5 }, "merged"),
        await application.ask("finalize", { shuffleId: 3, mergeId: 6 }, "merged"),
      ];
      const meta = [
        await application.ask("meta", { shuffleId: 3, mergeId: 5, reduceId: 0 }, "chunks"),
        await application.ask("meta", { shuffleId: 3, mergeId: 6, reduceId: 0 }, "chunks"),
      ];
      return { first, stale, newer, old, finalized, meta };
    },
    expected: {
      first: "pushed",
      stale: "is a stale block push from an indeterminate stage retry",
      newer: "pushed",
      old: "is a stale block push from an indeterminate stage retry",
      finalized: [
        "stale shuffle finalize request as shuffle blocks of a higher shuffleMergeId",
        { 0: "45:{3}" },
      ],
      meta: [
        "stale shuffle block fetch request as shuffle blocks of a higher shuffleMergeId",
        "{3}",
      ],
    },
  },
  {
    name: "a chunk of an older attempt at the shuffle",
    messages: ["FetchShuffleBlockChunks"],
    run: async (application) => {
      await application.registerMerging();
      await application.push(pushId(1, 0, 5), 140);
      await application.push(pushId(1, 0, 6), 140);
      const names = ["shuffleChunk_3_5_0_0"];
      const wanted = new Map(names.map((name) => [name, Buffer.of()]));
      return application.fetch(wanted, { exec: MERGER, conf: NO_RETRIES });
    },
    expected: {
      shuffleChunk_3_5_0_0:
        "stale shuffle block fetch request as shuffle blocks of a higher shuffleMergeId",
    },
  },
  {
    name: "blocks of an application that nobody knows",
    messages: [
      "PushBlockStream",
      "FinalizeShuffleMerge",
      "RemoveShuffleMerge",
      "MergedBlockMetaRequest",
    ],
    run: async (application) => [
      await application.push(pushId(1, 0), 40, { conf: NO_RETRIES }),
      await application.ask("finalize", IDS, "merged"),
      await application.ask("meta", { ...IDS, reduceId: 0 }, "chunks"),
    ],
    expected: [
      "is not registered or NM was restarted",
      "is not registered or NM was restarted",
      "is not registered or NM was restarted",
    ],
  },
  {
    name: "a newer attempt of the application takes over",
    messages: ["RegisterExecutor", "PushBlockStream", "FinalizeShuffleMerge"],
    run: async (application) => {
      await application.registerMerging(1);
      const first = await application.push(pushId(1, 0), 40, { attemptId: "1" });
      await application.registerMerging(2);
      const old = await application.push(pushId(2, 0), 40, { attemptId: "1", conf: NO_RETRIES });
      const newer = await application.push(pushId(3, 0), 50, { attemptId: "2" });
      const finalized = [
        await application.ask("finalize", { ...IDS, attemptId: "1" }, "merged"),
        await application.ask("finalize", { ...IDS, attemptId: "2" }, "merged"),
      ];
      const dirs = await application.ask("dirs", { execs: [MERGER], attemptId: "2" }, "dirs");
      return { first, old, newer, finalized, isNew: JSON.stringify(dirs).includes("manager_2") };
    },
    expected: {
      first: "pushed",
      old: "is from an older app attempt",
      newer: "pushed",
      finalized: [
        "The attempt id 1 in this FinalizeShuffleMerge message does not match with the current attempt id 2",
        { 0: "50:{3}" },
      ],
      isNew: true,
    },
  },
  {
    name: "merging ends twice",
    messages: ["FinalizeShuffleMerge"],
    run: async (application) => {
      await application.registerMerging();
      await application.push(pushId(1, 0), 40);
      return [
        await application.ask("finalize", IDS, "merged"),
        await application.ask("finalize", IDS, "merged"),
        await application.ask("finalize", { shuffleId: 3, mergeId: 2 }, "merged"),
      ];
    },
    expected: [
      { 0: "40:{1}" },
      "stale shuffle finalize request as shuffle blocks of a higher shuffleMergeId",
      "stale shuffle finalize request as shuffle blocks of a higher shuffleMergeId",
    ],
  },
  {
    name: "merging ends before anything was pushed",
    messages: ["FinalizeShuffleMerge", "MergedBlockMetaRequest"],
    run: async (application) => {
      await application.registerMerging();
      return [
        await application.ask("finalize", IDS, "merged"),
        await application.push(pushId(1, 0), 40),
        await application.ask("meta", { ...IDS, reduceId: 0 }, "chunks"),
      ];
    },
    expected: [{}, "is received after merged shuffle is finalized", "Merged shuffle index file"],
  },
  {
    name: "meta and chunks of a partition into which nothing was merged",
    messages: ["MergedBlockMetaRequest", "FetchShuffleBlockChunks"],
    run: async (application) => {
      await application.registerMerging();
      await application.push(pushId(1, 0), 140);
      await application.ask("finalize", IDS);
      const wanted = new Map(
        ["shuffleChunk_3_1_0_0", "shuffleChunk_3_1_9_0"].map((name) => [
          name,
          name.endsWith("_0_0") ? pushedContent(pushId(1, 0), 140) : Buffer.of(),
        ]),
      );
      return [
        await application.ask("meta", { ...IDS, reduceId: 9 }, "chunks"),
        await application.fetch(wanted, { exec: MERGER, conf: NO_RETRIES }),
      ];
    },
    expected: [
      "Merged shuffle index file",
      { shuffleChunk_3_1_0_0: "right", shuffleChunk_3_1_9_0: "Merged shuffle data file" },
    ],
  },
  ...[
    { mergeId: 1, called: "that is current" },
    { mergeId: -1, called: "whichever is current" },
    { mergeId: 2, called: "that is newer than what is there" },
  ].map(
    ({ called, mergeId }): ServiceCase => ({
      name: `what was merged is removed, of the attempt ${called}`,
      messages: ["RemoveShuffleMerge"],
      versions: REMOVING,
      run: async (application) => {
        const mergeDir = await application.registerMerging();
        await application.push(pushId(1, 0), 140);
        await application.push(pushId(1, 1), 140);
        await application.ask("finalize", IDS);
        const before = mergedFiles(application, mergeDir).filter(
          (name) => !isChecksum(name),
        ).length;
        await application.ask("removeMerge", { shuffleId: 3, mergeId });
        while (mergedFiles(application, mergeDir).length > 0) await pause();
        const meta = await application.ask("meta", { ...IDS, reduceId: 0 }, "chunks");
        return { before, late: await application.push(pushId(2, 0), 40), meta };
      },
      expected: {
        before: 6,
        late:
          mergeId === 2
            ? "is a stale block push from an indeterminate stage retry"
            : "is received after merged shuffle is finalized",
        meta:
          mergeId === 2
            ? "stale shuffle block fetch request as shuffle blocks of a higher shuffleMergeId"
            : "Merged shuffle index file",
      },
    }),
  ),
  {
    name: "an older attempt than the one that is there is not removed",
    messages: ["RemoveShuffleMerge"],
    versions: REMOVING,
    run: async (application) => {
      await application.registerMerging();
      await application.push(pushId(1, 0, 5), 140);
      await application.ask("finalize", { shuffleId: 3, mergeId: 5 });
      await application.ask("removeMerge", { shuffleId: 3, mergeId: 4 });
      // The next answer on this connection shows that the removal was read.
      await application.ask("dirs", { execs: [MERGER] });
      return application.ask("meta", { shuffleId: 3, mergeId: 5, reduceId: 0 }, "chunks");
    },
    expected: "{1}",
  },
];

function pushId(mapIndex: number, reduceId: number, mergeId = 1): string {
  return `shufflePush_3_${mergeId}_${mapIndex}_${reduceId}`;
}

/** A chunk of a partition, and the pushes of which it is made. */
type WantedChunk = [reduceId: number, chunk: number, ...parts: [name: string, bytes: number][]];

async function fetchChunks(
  application: Application,
  chunks: readonly WantedChunk[],
  fields: { readonly dir?: string } = {},
): Promise<unknown> {
  const wanted = chunks.map(([reduceId, chunk, ...parts]): [string, Buffer] => [
    `shuffleChunk_3_1_${reduceId}_${chunk}`,
    Buffer.concat(parts.map(([name, bytes]) => pushedContent(name, bytes))),
  ]);
  return application.fetch(new Map(wanted), { exec: MERGER, ...fields });
}

/** Pushes the blocks of maps from 10 on until one is refused; `merged` are those before. */
async function pushUntilRefused(
  application: Application,
): Promise<{ readonly merged: readonly number[]; readonly outcome: string }> {
  const merged: number[] = [];
  for (let map = 10; ; map += 1) {
    const outcome = await application.push(pushId(map, 0), 10);
    if (outcome !== "pushed") return { merged, outcome };
    merged.push(map);
  }
}

/** The service may hear of the broken push a moment later. */
async function pushedAtLast(
  application: Application,
  name: string,
  bytes: number,
): Promise<string> {
  for (;;) {
    const outcome = await application.push(name, bytes);
    if (outcome !== COLLISION) return outcome;
    await pause();
  }
}

function mergedFiles(application: Application, mergeDir: string): string[] {
  return application.localDirs.flatMap((dir) =>
    readdirSync(join(dir, "..", mergeDir), { recursive: true })
      .map(String)
      .filter((name) => name.includes("shuffleMerged")),
  );
}

/** Our service keeps one beside each partition. */
function isChecksum(name: string): boolean {
  return !/[.](data|index|meta)$/.test(name);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
