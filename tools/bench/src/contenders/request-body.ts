import type { Workload } from "../suites/workload.ts";

/** Asks a server for its counters instead of bytes. */
export const COUNTERS = -1;

/** The body of an RPC: an int32 with the length of the reply wanted, filled up to its size. */
export function requestBody(workload: Workload): Buffer {
  const body = Buffer.alloc(Math.max(4, workload.requestBytes), 0x5a);
  body.writeInt32BE(workload.replyBytes);
  return body;
}

/** The body that asks for the counters. */
export function countersBody(): Buffer {
  const body = Buffer.alloc(4);
  body.writeInt32BE(COUNTERS);
  return body;
}

/** The counters of this process, as a server gives them. */
export function countersOfThisProcess(): Buffer {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
  return Buffer.from(JSON.stringify({ cpuSeconds, residentBytes: maxRSS * 1024 }));
}
