/** The connection ends at each moment: every request that waits is told once, and why. */
import type { PeerRequest } from "../contract.ts";
import type { PairingCase } from "../pairing.ts";
import { type Pairing, until } from "../pairing.ts";
import type { PairedBatch, PairedClient, PairedServer, ServerReport } from "../peers.ts";

const MIB = 1024 * 1024;
const LARGE_BYTES = 48 * MIB;
const BODY_BYTES = 1000;

/** One of each kind. */
const ALL_KINDS: readonly PeerRequest[] = [
  { op: "rpc", size: 1, times: 3 },
  { op: "chunk", size: BODY_BYTES, times: 3 },
  { op: "stream", size: BODY_BYTES, times: 3 },
  { op: "meta", reduceId: 1, times: 3 },
  { op: "upload", size: BODY_BYTES, times: 3 },
];
const ALL_COUNT = 15;

/** See the file comment. */
export const CLOSING_CASES: readonly PairingCase[] = [
  {
    name: "the client closes while requests of every kind wait",
    run: (pairing) => endedBy(pairing, (_server, client) => client.close()),
    expected: { connection: ALL_COUNT },
  },
  {
    name: "the server cuts the connection while requests of every kind wait",
    run: (pairing) => endedBy(pairing, (server) => server.cut()),
    expected: { connection: ALL_COUNT },
  },
  {
    name: "the server closes while requests of every kind wait",
    run: (pairing) => endedBy(pairing, (server) => server.close()),
    expected: { connection: ALL_COUNT },
  },
  {
    name: "the server hangs up instead of answering, with others waiting",
    run: async (pairing) => {
      const { client } = await pairing.open();
      await client.ask({ op: "rpc", size: 1 });
      const { outcomes } = await client.ask(
        { op: "rpc", command: "silence", times: 5 },
        { op: "rpc", command: "hangUp" },
      );
      return outcomes;
    },
    expected: { connection: 6 },
  },
  {
    name: "the server closes an idle connection",
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      await client.ask({ op: "rpc", size: 1 });
      await server.cut();
      await gone(client);
      return [(await client.ask(...ALL_KINDS)).outcomes, (await server.report()).connections];
    },
    expected: [{ connection: ALL_COUNT }, 0],
  },
  {
    name: "the client closes an idle connection",
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      await client.ask({ op: "rpc", size: 1 });
      await client.close();
      await until(
        () => server.report(),
        ({ connections }) => connections === 0,
      );
      return (await client.ask(...ALL_KINDS)).outcomes;
    },
    expected: { connection: ALL_COUNT },
  },
  ...(["memory", "file"] as const).flatMap((kind) =>
    (["chunk", "stream"] as const).flatMap((op) => [
      midBodyCase(`the server cuts in the middle of a ${kind} ${op}`, { op, kind }, "server"),
      midBodyCase(`the client closes in the middle of a ${kind} ${op}`, { op, kind }, "client"),
    ]),
  ),
  midUploadCase("the server cuts in the middle of an upload", "server"),
  midUploadCase("the client closes in the middle of an upload", "client"),
  ...(["end", "reset"] as const).flatMap((how) => [
    // Frame length 0 to 7, type 8, id 9 to 16, length or index 17 to 20, then the body.
    ...[0, 1, 8, 9, 20, 21, 22, 500, 1020].map((after) =>
      linkCase({ op: "rpc", size: BODY_BYTES }, { after, direction: "answers", how }),
    ),
    ...[0, 21, 500].map((after) =>
      linkCase(
        { op: "chunk", kind: "file", size: BODY_BYTES },
        { after, direction: "answers", how },
      ),
    ),
    // The header of the stream `mem:1000:0` has 31 bytes.
    ...[0, 20, 31, 32, 500, 1030].map((after) =>
      linkCase({ op: "stream", size: BODY_BYTES }, { after, direction: "answers", how }),
    ),
    // The header of an upload without meta has 29 bytes.
    ...[0, 10, 29, 30, 500, 1028].map((after) =>
      linkCase({ op: "upload", size: BODY_BYTES }, { after, direction: "requests", how }),
    ),
  ]),
];

/** All requests are on their way, and the server looks at none of them. */
async function endedBy(
  pairing: Pairing,
  end: (server: PairedServer, client: PairedClient) => Promise<void>,
): Promise<unknown> {
  const { client, server } = await pairing.open();
  await client.ask({ op: "rpc", size: 1 });
  await server.read(false);
  const batch = await client.begin(...ALL_KINDS);
  await end(server, client);
  await gone(client);
  return (await batch.settled()).outcomes;
}

async function gone(client: PairedClient): Promise<void> {
  await until(
    () => client.isActive(),
    (isActive) => !isActive,
  );
}

/** The client stopped reading, so the body fills the sockets and stays there. */
function midBodyCase(
  name: string,
  what: { readonly op: "chunk" | "stream"; readonly kind: "memory" | "file" },
  who: "server" | "client",
): PairingCase {
  return {
    name,
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      await client.ask({ op: "rpc", size: 1 });
      await client.read(false);
      const batch = await client.begin({ ...what, size: LARGE_BYTES });
      await until(
        () => server.report(),
        ({ lookups }) => lookups === 1,
      );
      return ended(batch, client, server, who);
    },
    expected: { outcomes: { connection: 1 }, connections: 0 },
  };
}

async function ended(
  batch: PairedBatch,
  client: PairedClient,
  server: PairedServer,
  who: "server" | "client",
): Promise<unknown> {
  await (who === "server" ? server.cut() : client.close());
  if (who === "server") await client.read(true);
  await gone(client);
  const { outcomes } = await batch.settled();
  return { outcomes, connections: (await noConnections(server)).connections };
}

function noConnections(server: PairedServer): Promise<ServerReport> {
  return until(
    () => server.report(),
    ({ connections }) => connections === 0,
  );
}

/** The server stops reading when the upload begins. */
function midUploadCase(name: string, who: "server" | "client"): PairingCase {
  return {
    name,
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      const batch = await client.begin({
        op: "upload",
        kind: "file",
        meta: "stop-reading",
        size: LARGE_BYTES,
      });
      await until(
        () => server.report(),
        ({ uploadsBegun }) => uploadsBegun === 1,
      );
      await (who === "server" ? server.cut() : client.close());
      if (who === "client") await server.read(true);
      await gone(client);
      const { uploadsCompleted, uploadsFailed } = await noConnections(server);
      return { outcomes: (await batch.settled()).outcomes, uploadsCompleted, uploadsFailed };
    },
    expected: { outcomes: { connection: 1 }, uploadsCompleted: 0, uploadsFailed: 1 },
  };
}

function linkCase(
  request: PeerRequest,
  cut: {
    readonly after: number;
    readonly direction: "requests" | "answers";
    readonly how: "end" | "reset";
  },
): PairingCase {
  const what =
    { rpc: "an RPC answer", upload: "an upload" }[request.op as string] ?? `a ${request.op}`;
  const way = cut.how === "end" ? "ends" : "is reset";
  return {
    name: `the link ${way} after ${cut.after} bytes of ${what}`,
    run: async (pairing) => {
      const server = await pairing.listen();
      const client = await pairing.connect(await pairing.relay(server, { cut }));
      const { outcomes } = await client.ask(request);
      await gone(client);
      const { uploadsBegun, uploadsCompleted, uploadsFailed } = await noConnections(server);
      return { outcomes, open: uploadsBegun - uploadsFailed, uploadsCompleted };
    },
    expected: { outcomes: { connection: 1 }, open: 0, uploadsCompleted: 0 },
  };
}
