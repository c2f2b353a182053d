/**
 * Our shuffle service and our clients of one as a process that is driven by JSON lines: the twin of
 * ../../java/src/main/java/bm/interop/ShuffleServicePeer.java.
 */
import { createInterface } from "node:readline";
import { ExternalShuffleService } from "@bm/shuffle";
import { errorText } from "./error-text.ts";
import { OurShuffleClient } from "./our-shuffle-client.ts";
import type { ShuffleCommand } from "./shuffle-command.ts";

type Conf = Readonly<Record<string, string>>;

const clients = new Map<string, OurShuffleClient>();
let firstConf: Conf = {};

function clientOf(command: ShuffleCommand): OurShuffleClient {
  const { appId = "app", attemptId = "-1", conf = firstConf } = command;
  const key = JSON.stringify([appId, attemptId, conf]);
  const known = clients.get(key);
  if (known !== undefined) return known;
  const client = new OurShuffleClient({ appId, attemptId: Number(attemptId), conf });
  clients.set(key, client);
  return client;
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function answer(command: ShuffleCommand & { readonly id: number }): Promise<void> {
  try {
    say({ id: command.id, ...(await clientOf(command).run(command)) });
  } catch (error) {
    say({ id: command.id, error: errorText(error) });
  }
}

async function begin(first: string): Promise<void> {
  firstConf = (JSON.parse(first) as { readonly conf: Conf }).conf;
  const service = await ExternalShuffleService.start({
    // As `bm serve` does where there are cores for it.
    conf: { "bm.service.threads": "2", ...firstConf },
    host: "127.0.0.1",
    port: 0,
  });
  lines.on("line", (line) => void answer(JSON.parse(line) as Parameters<typeof answer>[0]));
  say({ port: service.port });
}

const lines = createInterface({ input: process.stdin });
lines.once("line", (first) => void begin(first));
lines.on("close", () => process.exit());
