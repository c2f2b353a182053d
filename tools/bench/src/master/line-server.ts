import { createInterface } from "node:readline";

/** Writes `{"pid"}` and more, then answers each line by its outcome or `{"error"}`, until input ends. */
export async function serveLines(
  first: object,
  perform: (line: unknown) => Promise<object> | object,
): Promise<void> {
  say({ pid: process.pid, ...first });
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say(await perform(JSON.parse(line)));
    } catch (error) {
      say({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
