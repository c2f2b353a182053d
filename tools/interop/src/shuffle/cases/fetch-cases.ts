/** Blocks are fetched: by number, by name, in runs, into files; and some are not there. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { outputsOf, partitionsOf } from "../recorded-outputs.ts";
import type { Application, BlockReport } from "../service-meeting.ts";
import type { ServiceCase } from "./case.ts";
import { allRight, firstPartitions, writeBlock } from "./executor-cases.ts";

const SET = "plain-adler32";
const OLD_PROTOCOL = { "spark.shuffle.useOldFetchProtocol": "true" };
const NO_RETRIES = { "spark.shuffle.io.maxRetries": "0" };

/** See the file comment. */
export const FETCH_CASES: readonly ServiceCase[] = [
  {
    name: "every partition of two shuffles",
    messages: ["FetchShuffleBlocks", "StreamHandle"],
    run: async (application) => {
      await application.registerWith(SET);
      const reports: BlockReport[] = [];
      for (const shuffle of ["shuffle_0_", "shuffle_1_"]) {
        const outputs = outputsOf(SET).filter(({ data }) => data.includes(shuffle));
        reports.push(await application.fetch(partitionsOf(outputs)));
      }
      return [...new Set(reports.flatMap((report) => Object.values(report)))];
    },
    expected: ["right"],
  },
  {
    name: "partitions by name, as Spark 2 asks",
    messages: ["OpenBlocks", "StreamHandle"],
    run: async (application) => {
      await application.registerWith(SET);
      return application.fetch(firstPartitions(2), { conf: OLD_PROTOCOL });
    },
    expected: allRight(2),
  },
  {
    name: "runs of partitions",
    messages: ["FetchShuffleBlocks"],
    run: async (application) => {
      await application.registerWith(SET);
      const whole = Buffer.concat([...firstPartitions(1).values()]);
      return application.fetch(new Map([["shuffle_0_0_0_4", whole]]));
    },
    expected: { shuffle_0_0_0_4: "right" },
  },
  {
    name: "partitions into files",
    messages: ["FetchShuffleBlocks"],
    run: async (application) => {
      await application.registerWith(SET);
      const dir = join(application.root, "downloads");
      mkdirSync(dir);
      return application.fetch(firstPartitions(3), { dir });
    },
    expected: allRight(3),
  },
  {
    name: "blocks of a cached RDD on disk",
    messages: ["OpenBlocks"],
    run: async (application) => {
      await application.registerWith(SET);
      const names = ["rdd_1_2", "rdd_1_3"];
      for (const name of names) writeBlock(application, name);
      return application.fetch(new Map(names.map((name) => [name, Buffer.from(name)])));
    },
    expected: { rdd_1_2: "right", rdd_1_3: "right" },
  },
  ...(["end", "reset"] as const).map(
    (how): ServiceCase => ({
      name: `the connection breaks in the middle of a fetch (${how}), which is tried again`,
      messages: ["FetchShuffleBlocks"],
      run: async (application, meeting) => {
        await application.registerWith(SET);
        // Behind the answer that opens the stream, in the middle of the first chunk.
        const cut = { after: 60, direction: "answers", how, isOnce: true } as const;
        const port = await meeting.relay({ cut });
        return application.fetch(firstPartitions(2), { port });
      },
      expected: allRight(2),
    }),
  ),
  failing("blocks of an executor that nobody knows", ["shuffle_0_0_0", "shuffle_0_0_1"], {
    exec: "9",
  }),
  failing("blocks of an executor that nobody knows, by name", ["shuffle_0_0_0"], {
    exec: "9",
    conf: { ...OLD_PROTOCOL, ...NO_RETRIES },
  }),
  failing("map outputs that are not there, behind one that is", [
    "shuffle_0_0_0",
    "shuffle_0_99_0",
    "shuffle_0_99_1",
  ]),
  failing("a partition behind the end of its index", ["shuffle_0_0_5000"]),
  failing("a cached RDD's block that is not there", ["rdd_7_7"]),
];

/** The blocks that are there come, and all behind the first that is not fail. */
function failing(
  name: string,
  blocks: readonly string[],
  fields: { readonly exec?: string; readonly conf?: Readonly<Record<string, string>> } = {},
): ServiceCase {
  const isThere = (block: string): boolean =>
    fields.exec === undefined && block === "shuffle_0_0_0";
  return {
    name,
    messages: [fields.conf === undefined ? "FetchShuffleBlocks" : "OpenBlocks"],
    run: async (application: Application) => {
      await application.registerWith(SET);
      const known = firstPartitions(1);
      const wanted = new Map(blocks.map((block) => [block, known.get(block) ?? Buffer.of()]));
      const report = await application.fetch(wanted, { conf: NO_RETRIES, ...fields });
      // Which file is missing is said in words of the own.
      const ends = Object.entries(report).map(([block, end]) => [
        block,
        end === "right" || end === "wrong" ? end : "failed",
      ]);
      return Object.fromEntries(ends) as BlockReport;
    },
    expected: Object.fromEntries(
      blocks.map((block) => [block, isThere(block) ? "right" : "failed"]),
    ),
  };
}
