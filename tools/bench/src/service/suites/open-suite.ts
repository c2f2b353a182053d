/** What blocks cost that were opened and that nobody fetches. */
import { setTimeout as sleep } from "node:timers/promises";
import { residentBytes } from "../../load/resident-memory.ts";
import type { JobOutcome } from "../client/client-job.ts";
import type { ServiceProcess } from "../service-process.ts";
import type { Round, ServiceSuite } from "../service-suite.ts";
import type { Stage } from "../stage.ts";
import { atMost, ratio, value } from "./figures.ts";
import { SMALL } from "./outputs.ts";

/** Until allocators and collectors have come to rest. */
const SETTLE_MS = 1500;

/** How the blocks are spread over streams, and what each may cost. */
export interface OpenShape {
  readonly mapsPerStream: number;
  readonly partitionsPerStream: number;
  readonly bytesMax: number;
}

/** A suite of the file's kind. */
export function openSuite(name: string, title: string, shape: OpenShape): ServiceSuite {
  return {
    name,
    title,
    figures: [
      value("each", "bytes", atMost(shape.bytesMax)),
      // By our own count: what is gone need not be given back to the system at once.
      value("held when the connection is gone", "bytes", atMost(0)),
      ratio("each of the next millions", "bytes", null),
    ],
    roundsMax: 3,
    isWarmedUp: false,
    run: (stage) => openRound(stage, shape),
  };
}

/** After the first, each on a connection of its own. */
const REPEATS = 8;

async function openRound(stage: Stage, shape: OpenShape): Promise<Round> {
  const service = await stage.start(stage.freshDirectory());
  const references = stage.pace.isQuick ? 100_000 : 1_000_000;
  const streams = references / (shape.mapsPerStream * shape.partitionsPerStream);
  const open = (count: number): Promise<JobOutcome> =>
    stage.ask({ kind: "open", port: service.port, outputs: SMALL, ...shape, streams: count });
  const forget = (): Promise<JobOutcome> => stage.ask({ kind: "forget" });
  try {
    await stage.register(service);
    // What only the first requests cost.
    await open(streams / 10);
    await forget();
    const before = await settledBytes(service);
    const { operations } = await open(streams);
    const held = await settledBytes(service);
    for (let time = 0; time < REPEATS; time += 1) {
      await forget();
      await open(streams);
    }
    const after = await settledBytes(service);
    await forget();
    await sleep(SETTLE_MS);
    return {
      each: (held - before) / operations,
      "held when the connection is gone": await service.gauge("bm_shuffle_open_reference_bytes"),
      "each of the next millions": (after - held) / (REPEATS * operations),
    };
  } finally {
    await service.stop();
  }
}

async function settledBytes({ pid }: ServiceProcess): Promise<number> {
  await sleep(SETTLE_MS);
  return residentBytes(pid) ?? 0;
}
