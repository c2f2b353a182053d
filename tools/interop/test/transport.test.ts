import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingTools, sparkVersion } from "../src/jvm-build.ts";
import { BACK_PRESSURE_CASES } from "../src/pairing/cases/back-pressure.ts";
import { CHUNK_ORDER_CASES } from "../src/pairing/cases/chunk-order.ts";
import { CLOSING_CASES } from "../src/pairing/cases/closing.ts";
import { CONCURRENCY_CASES } from "../src/pairing/cases/concurrency.ts";
import { FAILURE_CASES } from "../src/pairing/cases/failures.ts";
import { IDLE_CASES } from "../src/pairing/cases/idle.ts";
import { SIZE_CASES } from "../src/pairing/cases/sizes.ts";
import { EXPECTED_DIFFERENCES } from "../src/pairing/expected-differences.ts";
import { applies, expectedOutcome, toldOnce } from "../src/pairing/expected-outcome.ts";
import { Pairing, type PairingCase, type PeerProcesses } from "../src/pairing/pairing.ts";
import { type Side, startPeer } from "../src/pairing/peers.ts";
import type { PeerProcess } from "../src/peer-process.ts";
import { FILE_REGION_BYTES, regionBytes } from "../src/region.ts";

const missing = await missingTools();
const LIMITS = { timeout: 180_000 };

const MEETINGS = (["ours", "theirs"] as const).flatMap((client) =>
  (["ours", "theirs"] as const).map((server) => ({ client, server, sparkVersion })),
);

/** Cases that leave each other alone run beside each other; the others one by one. */
const TOGETHER: readonly (readonly [string, readonly PairingCase[]])[] = [
  ["time-outs", IDLE_CASES],
  ["sizes", SIZE_CASES],
  ["failures", FAILURE_CASES],
  ["order of chunks", CHUNK_ORDER_CASES],
  ["closing", CLOSING_CASES],
];
const ALONE: readonly (readonly [string, readonly PairingCase[]])[] = [
  ["concurrency", CONCURRENCY_CASES],
  ["back-pressure", BACK_PRESSURE_CASES],
];

describe.skipIf(missing !== null)("interop with Spark's transport", LIMITS, () => {
  const processes = {} as Record<Side, PeerProcesses>;
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), "bm-interop-"));
    ends.push(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, "region");
    await writeFile(file, regionBytes(FILE_REGION_BYTES));
    const start = async (side: Side): Promise<PeerProcess> => {
      const peer = await startPeer(side, file);
      ends.push(() => peer.stop());
      return peer;
    };
    processes.ours = { client: await start("ours"), server: await start("ours") };
    const jvm = await start("theirs");
    processes.theirs = { client: jvm, server: jvm };
  });

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });

  for (const [name, cases] of TOGETHER) {
    describe.concurrent(name, () => {
      for (const one of cases) runEverywhere(one);
    });
  }
  for (const [name, cases] of ALONE) {
    describe(name, () => {
      for (const one of cases) runEverywhere(one);
    });
  }

  function runEverywhere(one: PairingCase): void {
    for (const meeting of MEETINGS) {
      const { client, server } = meeting;
      it(`${one.name}: ${client} to ${server}`, async () => {
        const sides = { client: processes[client].client, server: processes[server].server };
        await using pairing = new Pairing(client, server, sides);
        const expected = expectedOutcome(one, meeting, EXPECTED_DIFFERENCES);
        const observed = await one.run(pairing);
        expect(client === "theirs" ? toldOnce(observed) : observed).toEqual(expected);
      });
    }
  }
});

describe("the list of expected differences", () => {
  const cases = [...TOGETHER, ...ALONE].flatMap(([, group]) => group);

  for (const row of EXPECTED_DIFFERENCES) {
    it(`has a case for: ${row.why}`, () => {
      const speaksOfOne = MEETINGS.some((meeting) =>
        cases.some((one) => applies({ ...row, versions: /./ }, one, meeting)),
      );
      expect(speaksOfOne).toBe(true);
    });
  }
});

if (missing !== null) console.warn(`The transport is not tested with Spark's: ${missing}.`);
