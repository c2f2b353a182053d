/** The idle rule, with time-outs of a second or three: who closes which connection. */
import { setTimeout as sleep } from "node:timers/promises";
import type { PairingCase } from "../pairing.ts";
import { until } from "../pairing.ts";

const QUICK = quickly("1s");
/** Long enough that a busy machine does not stop the link for as long. */
const NOT_SO_QUICK = quickly("3s");
/** Longer than two time-outs in all: Spark looks once in each. */
const SLOW_LINK = { bytesPerTick: 8000 };
const SLOW_BODY_BYTES = 600_000;
/** Spark looks once in each time-out, so that the second look decides; this is the fourth. */
const FOUR_TIMEOUTS_MS = 4000;

/** See the file comment. */
export const IDLE_CASES: readonly PairingCase[] = [
  {
    name: "a request that is never answered fails",
    run: async (pairing) => {
      const { client } = await pairing.open({ client: { conf: QUICK } });
      const { outcomes } = await client.ask({ op: "rpc", command: "silence", times: 3 });
      await until(
        () => client.isActive(),
        (isActive) => !isActive,
      );
      return outcomes;
    },
    expected: { connection: 3 },
  },
  {
    name: "requests of every kind that are never answered fail",
    run: async (pairing) => {
      const { client, server } = await pairing.open({ client: { conf: QUICK } });
      await client.ask({ op: "rpc", size: 1 });
      await server.read(false);
      const { outcomes } = await client.ask(
        { op: "chunk", size: 10 },
        { op: "stream", size: 10 },
        { op: "meta", reduceId: 1 },
        { op: "upload", size: 10 },
      );
      return outcomes;
    },
    expected: { connection: 4 },
  },
  {
    name: "a connection without requests stays open",
    run: async (pairing) => {
      const { client } = await pairing.open({ client: { conf: QUICK }, server: { conf: QUICK } });
      await client.ask({ op: "rpc", size: 1 });
      await sleep(FOUR_TIMEOUTS_MS);
      return (await client.ask({ op: "rpc", size: 1 })).outcomes;
    },
    expected: { ok: 1 },
  },
  {
    name: "a client that closes idle connections does so",
    run: async (pairing) => {
      const { client, server } = await pairing.open({ client: { conf: QUICK, closesIdle: true } });
      await client.ask({ op: "rpc", size: 1 });
      await until(
        () => client.isActive(),
        (isActive) => !isActive,
      );
      return (
        await until(
          () => server.report(),
          ({ connections }) => connections === 0,
        )
      ).requests;
    },
    expected: 1,
  },
  {
    name: "a server that closes idle connections does so",
    run: async (pairing) => {
      const { client } = await pairing.open({ server: { conf: QUICK, closesIdle: true } });
      await client.ask({ op: "rpc", size: 1 });
      await until(
        () => client.isActive(),
        (isActive) => !isActive,
      );
      return (await client.ask({ op: "rpc", size: 1 })).outcomes;
    },
    expected: { connection: 1 },
  },
  {
    name: "a server that closes idle connections owes an answer",
    run: async (pairing) => {
      const { client, server } = await pairing.open({
        server: { conf: QUICK, closesIdle: true },
      });
      const batch = await client.begin({ op: "rpc", command: "hold", size: 1 });
      await until(
        () => server.report(),
        ({ held }) => held === 1,
      );
      await sleep(FOUR_TIMEOUTS_MS);
      await server.release();
      return (await batch.settled()).outcomes;
    },
    expected: { connection: 1 },
  },
  {
    name: "a chunk comes over a slow link for longer than the time-out",
    run: async (pairing) => {
      const server = await pairing.listen();
      const link = await pairing.relay(server, SLOW_LINK);
      const client = await pairing.connect(link, { conf: NOT_SO_QUICK });
      return (await client.ask({ op: "chunk", size: SLOW_BODY_BYTES })).outcomes;
    },
    expected: { connection: 1 },
  },
  {
    name: "a stream comes over a slow link for longer than the time-out",
    run: async (pairing) => {
      const server = await pairing.listen();
      const link = await pairing.relay(server, SLOW_LINK);
      const client = await pairing.connect(link, { conf: NOT_SO_QUICK });
      return (await client.ask({ op: "stream", size: SLOW_BODY_BYTES })).outcomes;
    },
    expected: { connection: 1 },
  },
];

/** Connecting has a limit of its own, which is the same one unless it is given. */
function quickly(timeout: string): Readonly<Record<string, string>> {
  return {
    "spark.shuffle.io.connectionTimeout": timeout,
    "spark.shuffle.io.connectionCreationTimeout": "120s",
  };
}
