import { expect, it } from "vitest";
import { runDrill } from "../src/faults/run-drill.ts";
import { Tally } from "../src/faults/tally.ts";

/** `npm run drill` runs more. */
const SCHEDULES = 120;

it("ends every block once under faults of connections and servers, and leaves nothing behind", async () => {
  const tally = new Tally();
  const onOutcome = tally.add.bind(tally);
  expect(await runDrill({ schedules: SCHEDULES, seed: 1, lanes: 6, onOutcome })).toEqual([]);
  expect(tally.done).toBe(SCHEDULES);
}, 600_000);
