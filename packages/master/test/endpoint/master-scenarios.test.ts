/**
 * Scripts that were played to Spark's own master. Ours gives the same answers, sends the same
 * orders and posts the same events, but for the deviations listed below.
 */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import {
  eventFields,
  Player,
  type Scenario,
  type SentOrder,
  type Topology,
} from "./scenario-player.ts";

const file = new URL("../vectors/master-scenarios.json", import.meta.url);
const { topology, scenarios } = JSON.parse(readFileSync(file, "utf8")) as {
  readonly topology: Topology;
  readonly scenarios: readonly Scenario[];
};

/** Answers that are wrong in Spark, by scenario and step, with ours and the reason. */
const DEVIATIONS: Readonly<Record<string, { readonly reply: unknown; readonly reason: string }>> = {
  "re-registration: alive, dead, known/3": {
    reply: "ERROR REGISTRATION_CONFLICT",
    reason: "a code instead of a failed assertion",
  },
  "updates: unknown BM, driver, untopologised id, memory accounting, removal by replication 0/18": {
    reply: { "1@h1:1001#/r1": [1000, 1000] },
    reason: "memory of a block that was also on disk comes back when the block goes",
  },
  "locations and status: host-local disk copy preferred, local dirs only then/10": {
    reply: {
      locations: ["2@h1:1002#/r1"],
      level: 12,
      memSize: 40,
      diskSize: 33,
      localDirs: ["/dirs/2"],
    },
    reason: "a block in memory and on disk keeps both sizes",
  },
  "locations and status: host-local disk copy preferred, local dirs only then/11": {
    reply: { locations: ["2@h1:1002#/r1"], level: 12, memSize: 40, diskSize: 33, localDirs: null },
    reason: "a block in memory and on disk keeps both sizes",
  },
};

let player: Player | null = null;

afterEach(async () => {
  await player?.cluster.close();
  player = null;
});

/** Our client adds up what Spark's master gives one by one. */
function summed(reply: unknown): unknown {
  if (typeof reply !== "object" || reply === null || !("future" in reply)) return reply;
  const values = reply.future as string[];
  if (values.every((value) => /^\d+$/.test(value))) {
    return values.reduce((total, value) => total + Number(value), 0);
  }
  return values.every((value) => value === "true") ? true : reply;
}

/** A block manager does not look at the flag of this message. */
function withoutFlag({ to, message }: SentOrder): SentOrder {
  return { to, message: message.replace(/^(RemoveBroadcast\(\d+),.*/, "$1)") };
}

const byExecutor = (a: SentOrder, b: SentOrder): number => a.to.localeCompare(b.to);

for (const wiring of ["in process", "over sockets"] as const) {
  describe(`the master, asked ${wiring}, does as Spark's`, () => {
    for (const { name, isLocal, steps } of scenarios) {
      it(name, async () => {
        player = await Player.start(wiring, isLocal, topology);
        for (const [index, step] of steps.entries()) {
          player.alive = step.schedulerAlive ?? null;
          const label = `${name}, step ${index}: ${step.message}`;
          const expected = DEVIATIONS[`${name}/${index}`]?.reply ?? summed(step.reply);
          expect(await player.play(step.message, step.fields), label).toEqual(expected);
          expect(player.cluster.events.splice(0).map(eventFields), label).toEqual(step.events);
          // Some orders are given in passing.
          const sent = step.sent.map(withoutFlag).toSorted(byExecutor);
          const orders: SentOrder[] = [];
          await expect
            .poll(() => orders.push(...(player?.takeOrders() ?? [])), {
              interval: 1,
              message: label,
            })
            .toBeGreaterThanOrEqual(sent.length);
          expect(orders.toSorted(byExecutor), label).toEqual(sent);
        }
      });
    }
  });
}

it("deviates only in steps that exist, and where the answer is another", () => {
  const recorded = new Map<string, unknown>(
    scenarios.flatMap(({ name, steps }) =>
      steps.map(({ reply }, index) => [`${name}/${index}`, reply] as const),
    ),
  );
  for (const [step, { reply }] of Object.entries(DEVIATIONS)) {
    expect(recorded.has(step), step).toBe(true);
    expect(recorded.get(step), step).not.toEqual(reply);
  }
});
