/** Many requests at once, on one connection and on many. */
import type { PeerRequest } from "../contract.ts";
import type { PairingCase } from "../pairing.ts";
import { until } from "../pairing.ts";

const THOUSAND = 1000;

/** See the file comment. Every answer has a size or a place of its own, so that none can be mixed up. */
export const CONCURRENCY_CASES: readonly PairingCase[] = [
  together("a thousand RPCs", { op: "rpc", size: 0, step: 1, times: THOUSAND }),
  together("a thousand echoes", { op: "rpc", command: "echo", size: 10, step: 7, times: THOUSAND }),
  together("a thousand memory chunks", {
    op: "chunk",
    kind: "memory",
    size: 20_000,
    times: THOUSAND,
  }),
  together("a thousand file chunks", { op: "chunk", kind: "file", size: 20_000, times: THOUSAND }),
  together("a thousand memory streams", { op: "stream", size: 0, step: 13, times: THOUSAND }),
  together("a thousand file streams", {
    op: "stream",
    kind: "file",
    size: 0,
    step: 13,
    times: THOUSAND,
  }),
  together("a thousand uploads", { op: "upload", size: 5000, times: THOUSAND }),
  together("a thousand merged metas", { op: "meta", reduceId: 9, times: THOUSAND }),
  together(
    "a thousand failures among a thousand answers",
    { op: "rpc", size: 3, times: THOUSAND },
    { op: "stream", name: "no-such", times: THOUSAND },
  ),
  together(
    "everything at once",
    ...Array.from({ length: 100 }, (_, turn): PeerRequest[] => [
      { op: "rpc", size: 1000 * turn },
      { op: "chunk", kind: turn % 2 === 0 ? "memory" : "file", size: 3001 * turn },
      { op: "stream", kind: turn % 2 === 0 ? "file" : "memory", size: 2003 * turn },
      { op: "upload", kind: turn % 2 === 0 ? "memory" : "file", size: 1009 * turn },
      { op: "meta", reduceId: turn },
      { op: "oneWay", size: turn },
      { op: "rpc", command: "fail" },
      { op: "stream", kind: "failing", size: 1 },
    ]).flat(),
  ),
  {
    name: "a thousand RPCs that are answered in reverse",
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      const batch = await client.begin({
        op: "rpc",
        command: "hold",
        size: 1,
        step: 3,
        times: THOUSAND,
      });
      await until(
        () => server.report(),
        ({ held }) => held === THOUSAND,
      );
      const before = (await batch.soFar()).outcomes;
      await server.release();
      return [before, (await batch.settled()).outcomes];
    },
    expected: [{ pending: THOUSAND }, { ok: THOUSAND }],
  },
  {
    name: "the same chunk asked for twice at once",
    run: async (pairing) => {
      const { client } = await pairing.open();
      // So that the first answer does not come before the second request.
      await client.read(false);
      const twice = await client.begin({ op: "chunk", size: 100_000, times: 2, isSame: true });
      const next = await client.begin({ op: "rpc", size: 1 });
      await client.read(true);
      await next.settled();
      return (await twice.soFar()).outcomes;
    },
    // The wire cannot tell the two apart: Spark forgets the first callback.
    expected: { ok: 1, pending: 1 },
  },
  {
    name: "two hundred connections",
    run: async (pairing) => {
      const server = await pairing.listen();
      const clients = await Promise.all(Array.from({ length: 200 }, () => pairing.connect(server)));
      const { connections } = await until(
        () => server.report(),
        (report) => report.connections === clients.length,
      );
      const reports = await Promise.all(
        clients.map((client, index) => client.ask({ op: "rpc", size: index, times: 10 })),
      );
      const isEach = reports.every(({ bytes }, index) => bytes === 10 * index);
      return { connections, isEach };
    },
    expected: { connections: 200, isEach: true },
  },
];

function together(name: string, ...requests: readonly PeerRequest[]): PairingCase {
  const answered = requests.filter(({ op }) => op !== "oneWay");
  const expected: Record<string, number> = {};
  for (const request of answered) {
    const outcome = outcomeOf(request);
    expected[outcome] = (expected[outcome] ?? 0) + (request.times ?? 1);
  }
  return {
    name,
    run: async (pairing) => (await pairing.ask(...requests)).outcomes,
    expected,
  };
}

function outcomeOf(request: PeerRequest): string {
  const isFailing =
    (request.op === "rpc" && request.command === "fail") ||
    (request.op === "stream" && request.kind === "failing");
  if (isFailing) return "remote java.lang.UnsupportedOperationException: asked to fail";
  const isUnknown = request.op === "stream" && request.name === "no-such";
  return isUnknown ? "remote Stream 'no-such' was not found." : "ok";
}
