import type { Measured, Workload } from "../suites/workload.ts";
import { Latencies } from "./latencies.ts";
import type { Connect, Link } from "./link.ts";
import { checkSamples } from "./region-check.ts";

/**
 * Connects, makes one request and closes, again and again; one operation is all three, for a system
 * completes connections that its server has not looked at yet.
 */
export async function connectRepeatedly(connect: Connect, workload: Workload): Promise<Measured> {
  const latencies = new Latencies();
  const startedMs = performance.now();
  let operations = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const connectedMs = performance.now();
      const isTimeUp = connectedMs - startedMs >= workload.seconds * 1000;
      if (operations >= workload.operationsMax) return;
      if (isTimeUp && operations >= workload.operationsMin) return;
      operations += 1;
      const link = await connect(workload);
      await askOnce(link, workload);
      latencies.add(performance.now() - connectedMs);
      await link.close();
    }
  };
  await Promise.all(Array.from({ length: workload.connections }, () => work()));
  const seconds = (performance.now() - startedMs) / 1000;
  const bytes = operations * (workload.requestBytes + workload.replyBytes);
  const shares = latencies.percentiles({ p50Us: 0.5, p99Us: 0.99 });
  return { operations, bytes, seconds, ...shares };
}

function askOnce(link: Link, workload: Workload): Promise<void> {
  return new Promise((resolve, reject) => {
    const send = link.createSender({
      answered: (bytes) => {
        if (bytes !== null) checkSamples(bytes, 0, workload.replyBytes);
        resolve();
      },
      failed: reject,
    });
    send(0);
  });
}
