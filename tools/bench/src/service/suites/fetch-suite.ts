/** How fast blocks are served, what they cost, and the memory that it takes. */
import { forgetPeak, peakBytes } from "../../load/resident-memory.ts";
import type { FetchJob, JobOutcome } from "../client/client-job.ts";
import type { Round, ServiceSuite } from "../service-suite.ts";
import type { ShuffleOutputs } from "../shuffle-outputs.ts";
import type { Stage } from "../stage.ts";
import { atLeast, atMost, KIB, MIB, ratio } from "./figures.ts";

/** A suite of the file's kind. */
export function fetchSuite(
  label: string,
  whole: ShuffleOutputs,
  quick: ShuffleOutputs,
  shape: FetchJob["shape"],
  clients: number,
  wanted: number,
): ServiceSuite {
  const { blockBytes, maps, partitions } = whole;
  const who = clients === 1 ? "one client" : `${clients} clients`;
  const how = shape === "by-map" ? "map by map" : "reducer by reducer";
  return {
    name: `service-${label}-${shape}${clients === 1 ? "" : `-${clients}-clients`}`,
    title: `${maps} maps x ${partitions} partitions of ${blockBytes / KIB} KiB, ${how}, ${who}`,
    figures: [
      ratio("blocks/s", "/s", atLeast(wanted)),
      ratio("bytes/s", "MB/s", null),
      ratio("server CPU", "us/block", atMost(1)),
      ratio("client CPU", "us/block", null),
      ratio("busiest client", "cores", null),
      ratio("peak memory", "MiB", atMost(0.5)),
    ],
    roundsMax: Number.MAX_SAFE_INTEGER,
    isWarmedUp: true,
    run: (stage) => fetchRound(stage, stage.pace.isQuick ? quick : whole, shape, clients),
  };
}

/** As many requests of a reader are under way as its 48 MiB in flight allow at most. */
const STREAMS = 5;

async function fetchRound(
  stage: Stage,
  outputs: ShuffleOutputs,
  shape: FetchJob["shape"],
  clients: number,
): Promise<Round> {
  stage.files.have(outputs);
  const service = await stage.living();
  const streamCount = shape === "by-map" ? outputs.maps : outputs.partitions;
  const jobs = Array.from({ length: clients }, (_, at) => ({
    kind: "fetch" as const,
    port: service.port,
    outputs,
    shape,
    streams: STREAMS,
    firstStream: Math.floor((at * streamCount) / clients),
    seconds: stage.seconds,
  }));
  forgetPeak(service.pid);
  const before = service.cpuSeconds;
  const outcomes = await stage.askAll(jobs);
  const serverCpuSeconds = service.cpuSeconds - before;
  const blocks = sum(outcomes, ({ operations }) => operations);
  return {
    "blocks/s": sum(outcomes, ({ operations, seconds }) => operations / seconds),
    "bytes/s": sum(outcomes, ({ bytes, seconds }) => bytes / seconds / 1e6),
    "server CPU": (serverCpuSeconds / blocks) * 1e6,
    "client CPU": (sum(outcomes, ({ cpuSeconds }) => cpuSeconds) / blocks) * 1e6,
    "busiest client": Math.max(...outcomes.map(({ cpuSeconds, seconds }) => cpuSeconds / seconds)),
    "peak memory": (peakBytes(service.pid) ?? 0) / MIB,
  };
}

function sum(outcomes: readonly JobOutcome[], value: (outcome: JobOutcome) => number): number {
  return outcomes.reduce((total, outcome) => total + value(outcome), 0);
}
