/**
 * What the processes of a contender on Node do. A server writes one line, `{"port", "pid"}`. A driven
 * client writes `{"pid"}`, then answers each line with a workload by a line with its outcome or
 * `{"error"}`. Both end when their input ends, if they were told so.
 */
import { createInterface } from "node:readline";
import type { NodeContender, Place } from "../contenders/contender.ts";
import { perform } from "../load/perform.ts";
import type { Workload } from "../suites/workload.ts";
import { prepareRegionFile } from "./region-file.ts";

/** Serves until a signal, or until the end of input; then resolves. */
export async function serve(
  contender: NodeContender,
  place: Place,
  directory: string,
  untilInputEnds: boolean,
): Promise<void> {
  const server = await contender.listen(place, prepareRegionFile(directory));
  say({ port: server.port, pid: process.pid });
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve()).once("SIGTERM", () => resolve());
    if (untilInputEnds) process.stdin.once("end", () => resolve()).resume();
  });
  await server.close();
}

/** Performs workloads until the end of input. */
export async function drive(contender: NodeContender, place: Place): Promise<void> {
  const connect = contender.connectTo(place);
  say({ pid: process.pid });
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say(await perform(connect, JSON.parse(line) as Workload));
    } catch (error) {
      say({ error: String(error) });
    }
  }
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
