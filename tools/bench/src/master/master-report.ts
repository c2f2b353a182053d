import { figure, spreadText } from "../report/figures.ts";
import type { ClusterResult, ClusterShape, Phase } from "./cluster-run.ts";
import {
  type StatusResult,
  type StatusRound,
  type StatusShape,
  speedRatio,
  spread,
} from "./status-contest.ts";

/** What is reported. */
export interface MasterResult {
  readonly clusterShape: ClusterShape;
  readonly cluster: ClusterResult;
  readonly statusShape: StatusShape;
  readonly statuses: StatusResult;
}

/** What must not be: messages without the right answer, and knowledge that does not add up. */
export function lostMessages({ clusterShape, cluster }: MasterResult): string[] {
  const { blocksEach, executorsEach, processes } = clusterShape;
  const lost: string[] = [];
  for (const { name, wrong } of cluster.phases) {
    if (wrong > 0) lost.push(`${name}: ${wrong} answers are wrong`);
  }
  const check = (when: string, of: ClusterResult["knowledge"], ofProcesses: number): void => {
    const managers = ofProcesses * executorsEach;
    if (of.managers !== managers) lost.push(`${when}: ${of.managers} block managers`);
    if (of.locations !== managers * blocksEach) lost.push(`${when}: ${of.locations} locations`);
    if (of.blocks !== of.locations) lost.push(`${when}: ${of.blocks} blocks`);
  };
  check("after the reports", cluster.knowledge, processes);
  check("after the kill", cluster.afterKill, processes - 1);
  return lost;
}

/** Bytes of the driver for each location: of what it uses, and of what the system gave it. */
export function bytesPerLocation({ before, full, knowledge }: ClusterResult): {
  used: number;
  resident: number;
} {
  return {
    used: (full.usedBytes - before.usedBytes) / knowledge.locations,
    resident: (full.residentBytes - before.residentBytes) / knowledge.locations,
  };
}

/** For a person. */
export function masterReport(result: MasterResult): string {
  const { cluster, clusterShape, statusShape, statuses } = result;
  const { executorsEach, processes } = clusterShape;
  const bytes = bytesPerLocation(cluster);
  const lost = lostMessages(result);
  return [
    `${processes * executorsEach} executors over as many connections, in ${processes} processes; ` +
      `${cluster.knowledge.locations} blocks`,
    ...cluster.phases.map(phaseText),
    `memory of the driver: ${figure(bytes.used)} B used for a location, ${figure(bytes.resident)} B resident`,
    `snapshot of the driver: ${figure(cluster.knowledge.ms)} ms`,
    `a process with ${executorsEach} executors killed: noticed after ${figure(cluster.noticedSeconds)} s, ` +
      `${cluster.afterKill.managers} executors and ${cluster.afterKill.locations} blocks are left`,
    lost.length === 0 ? "no message was lost" : `LOST: ${lost.join("; ")}`,
    "",
    `map statuses of ${statusShape.maps} maps x ${statusShape.partitions} partitions`,
    statusText("serialise", statuses, (round) => round.serializeMs, "ms"),
    statusText("deserialise", statuses, (round) => round.deserializeMs, "ms"),
    statusText("processor time of both", statuses, (round) => round.cpuMs, "ms"),
    statusText("size", statuses, (round) => round.bytes / 1024 ** 2, "MiB"),
  ].join("\n");
}

function phaseText({ driver, longestMs, name, perSecond, right }: Phase): string {
  return (
    `${name}: ${right} at ${figure(perSecond)}/s, the slowest in ${figure(longestMs)} ms; ` +
    `${figure(right / driver.cpuSeconds)}/s of the driver's processor, its longest turn ${figure(driver.longestTurnMs)} ms`
  );
}

function statusText(
  name: string,
  result: StatusResult,
  of: (round: StatusRound) => number,
  unit: string,
): string {
  const ours = figure(spread(result.ours, of).median);
  const ratio = speedRatio(result, of);
  if (ratio === null) return `${name}: ours ${ours} ${unit}`;
  const spark = figure(spread(result.spark, of).median);
  const what = unit === "ms" ? "as fast" : "as small";
  return `${name}: ours ${ours} ${unit}, Spark ${spark} ${unit}; ${spreadText(ratio)} times ${what}`;
}
