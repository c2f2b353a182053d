import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingTools, sparkVersion } from "../../src/jvm-build.ts";
import { startJvmPeer } from "../../src/jvm-peer.ts";
import { applies, expectedOutcome } from "../../src/pairing/expected-outcome.ts";
import type { Side } from "../../src/pairing/peers.ts";
import { PeerProcess } from "../../src/peer-process.ts";
import type { ServiceCase } from "../../src/shuffle/cases/case.ts";
import { EXECUTOR_CASES } from "../../src/shuffle/cases/executor-cases.ts";
import { FETCH_CASES } from "../../src/shuffle/cases/fetch-cases.ts";
import { MERGE_CASES } from "../../src/shuffle/cases/merge-cases.ts";
import { RAW_CASES } from "../../src/shuffle/cases/raw-cases.ts";
import { EXPECTED_SERVICE_DIFFERENCES } from "../../src/shuffle/expected-service-differences.ts";
import { MESSAGES, messageTable } from "../../src/shuffle/message-table.ts";
import { ServiceMeeting } from "../../src/shuffle/service-meeting.ts";

const missing = await missingTools();
const OUR_PEER: string = join(import.meta.dirname, "../../src/shuffle/shuffle-peer-process.ts");
const CONF = {
  "spark.shuffle.io.retryWait": "1s",
  "spark.shuffle.push.server.mergedShuffleFileManagerImpl":
    "org.apache.spark.network.shuffle.RemoteBlockPushResolver",
  "spark.shuffle.push.server.minChunkSizeInMergedShuffleFile": "100",
};
const CASES: readonly (readonly [string, readonly ServiceCase[]])[] = [
  ["executors", EXECUTOR_CASES],
  ["fetches", FETCH_CASES],
  ["push-merge", MERGE_CASES],
  ["other messages", RAW_CASES],
];
const MEETINGS = (["ours", "theirs"] as const).flatMap((client) =>
  (["ours", "theirs"] as const).map((server) => ({ client, server, sparkVersion })),
);

describe.skipIf(missing !== null)("interop of shuffle services and their clients", () => {
  const peers = {} as Record<Side, { readonly process: PeerProcess; readonly port: number }>;
  const ends: (() => Promise<void>)[] = [];
  let root = "";

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "bm-services-"));
    ends.push(() => rm(root, { recursive: true, force: true }));
    const first = { conf: CONF };
    const args = ["--conditions=@bm/source", OUR_PEER];
    for (const [side, starting] of [
      ["ours", PeerProcess.start({ command: process.execPath, args, first })],
      ["theirs", startJvmPeer("ShuffleServicePeer", first)],
    ] as const) {
      const [peer, { port }] = await starting;
      ends.push(() => peer.stop());
      peers[side] = { process: peer, port: Number(port) };
    }
  });

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });

  for (const [name, cases] of CASES) {
    describe.concurrent(name, () => {
      for (const one of cases) {
        const isKnown = one.versions?.test(sparkVersion) ?? true;
        for (const meeting of MEETINGS) {
          it.skipIf(!isKnown)(`${one.name}: ${meeting.client} to ${meeting.server}`, async () => {
            const expected = expectedOutcome(one, meeting, EXPECTED_SERVICE_DIFFERENCES);
            const { client, server } = meeting;
            await using place = new ServiceMeeting(peers[client].process, peers[server].port, root);
            expect(await one.run(place.application(), place)).toEqual(expected);
          });
        }
      }
    });
  }
});

describe("the cases of shuffle services", () => {
  const cases = CASES.flatMap(([, group]) => group);

  it.each(MESSAGES)("are about %s too", (message) => {
    expect(cases.filter(({ messages }) => messages.includes(message))).not.toEqual([]);
  });

  it("are listed in the README", async () => {
    const page = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");
    expect(page).toContain(`<!-- messages -->\n\n${messageTable(cases)}\n\n<!-- end`);
  });
});

describe("the list of expected differences of services", () => {
  const cases = CASES.flatMap(([, group]) => group);

  for (const row of EXPECTED_SERVICE_DIFFERENCES) {
    it(`has a case for: ${row.why}`, () => {
      const speaksOfOne = MEETINGS.some((meeting) =>
        cases.some((one) => applies({ ...row, versions: /./ }, one, meeting)),
      );
      expect(speaksOfOne).toBe(true);
    });
  }
});

if (missing !== null) console.warn(`Shuffle services are not tested with Spark's: ${missing}.`);
