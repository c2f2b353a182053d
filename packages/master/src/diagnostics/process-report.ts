/**
 * What this process is doing, as rows of text for people: the counterparts of the JVM's thread dump and
 * heap histogram. One event loop has no threads to list; what it has is work that is under way
 * (handles that keep it alive) and work that waits (messages in inboxes).
 */
import process from "node:process";
import { getHeapSpaceStatistics } from "node:v8";
import type { EndpointState } from "@bm/rpc";

/** Memory of the process, the handles that it waits for, and the endpoints with what waits there. */
export function stateRows(endpoints: readonly EndpointState[]): string[] {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  return [
    `process ${process.pid}, node ${process.version}`,
    `memory: rss ${rss}, heap ${heapUsed} of ${heapTotal}, external ${external}, array buffers ${arrayBuffers}`,
    ...countRows(process.getActiveResourcesInfo()).map((row) => `waits for ${row}`),
    ...endpoints.map(({ name, waitingMessages, waitingBytes, laterReplies, handling }) => {
      const now = handling === null ? "idle" : `handling ${handling}`;
      return `endpoint ${name}: ${now}, ${waitingMessages} waiting (${waitingBytes} bytes), ${laterReplies} to be answered later`;
    }),
  ];
}

/** The spaces of the heap, the fullest first: `used bytes, size in bytes, name`. */
export function heapRows(): string[] {
  return getHeapSpaceStatistics()
    .toSorted((a, b) => b.space_used_size - a.space_used_size)
    .map(({ space_name: name, space_used_size: used, space_size: size }) => {
      return `${used} of ${size} ${name}`;
    });
}

function countRows(names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} ${name}`);
}
