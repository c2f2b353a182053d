/** Start, rest and restart of a service. */
import { setTimeout as sleep } from "node:timers/promises";
import { residentBytes } from "../../load/resident-memory.ts";
import type { Round, ServiceSuite } from "../service-suite.ts";
import type { Stage } from "../stage.ts";
import { atMost, MIB, ratio, value } from "./figures.ts";
import { registerMany } from "./request-suites.ts";

/** Until allocators and collectors have come to rest. */
const SETTLE_MS = 1500;

/** Nothing registered yet. */
export const startSuite: ServiceSuite = {
  name: "service-start",
  title: "start on an empty directory, and the idle process",
  figures: [
    value("listening after", "ms", atMost(400)),
    ratio("idle resident memory", "MiB", null),
    value("with one event loop", "MiB", atMost(80)),
  ],
  roundsMax: 5,
  isWarmedUp: false,
  run: startEmpty,
};

/** Many registered, and nothing put in order at the end. */
export const restartSuite: ServiceSuite = {
  name: "service-restart",
  title: "restart after a kill with 100,000 registered executors (--quick: 2,000)",
  figures: [ratio("listening after", "ms", null), value("answering after", "ms", atMost(1000))],
  roundsMax: 3,
  isWarmedUp: false,
  run: restart,
};

async function startEmpty(stage: Stage): Promise<Round> {
  const byItself = await startIdle(stage);
  const withOneLoop = await startIdle(stage, 1);
  return {
    "listening after": byItself.startMs,
    "idle resident memory": byItself.residentBytes / MIB,
    "with one event loop": withOneLoop.residentBytes / MIB,
  };
}

/** @param threads event loops of ours, other than those of the run */
async function startIdle(
  stage: Stage,
  threads?: number,
): Promise<{ readonly startMs: number; readonly residentBytes: number }> {
  const service = await stage.start(stage.freshDirectory(), threads);
  try {
    await sleep(SETTLE_MS);
    return { startMs: service.startMs, residentBytes: residentBytes(service.pid) ?? 0 };
  } finally {
    await service.stop();
  }
}

async function restart(stage: Stage): Promise<Round> {
  const count = stage.pace.isQuick ? 2000 : 100_000;
  const directory = await directoryOfRegistered(stage, count);
  const startedMs = performance.now();
  const service = await stage.start(directory);
  try {
    const executorId = `${RESTART_PREFIX}${count - 1}`;
    await stage.ask({ kind: "ask", port: service.port, executorId });
    const answeredMs = performance.now() - startedMs;
    return { "listening after": service.startMs, "answering after": answeredMs };
  } finally {
    await service.kill();
  }
}

const RESTART_PREFIX = "kept-";

/** The database of a service that was killed after so many registrations; made once. */
async function directoryOfRegistered(stage: Stage, count: number): Promise<string> {
  const known = stage.kept.get("restart");
  if (known !== undefined) return known;
  const directory = stage.freshDirectory();
  const service = await stage.start(directory);
  await registerMany(stage, service, { count, prefix: RESTART_PREFIX });
  await service.kill();
  stage.kept.set("restart", directory);
  return directory;
}
