/** Requests that cannot be answered, and what becomes of the connection. */
import { MetaCommand, type PeerRequest } from "../contract.ts";
import type { PairingCase } from "../pairing.ts";
import { until } from "../pairing.ts";
import type { PairedClient } from "../peers.ts";

const UNSUPPORTED = "remote java.lang.UnsupportedOperationException: asked to fail";
const ILLEGAL_STATE = "remote java.lang.IllegalStateException";
const BODY_BYTES = 300_000;

/** See the file comment. */
export const FAILURE_CASES: readonly PairingCase[] = [
  failureCase("an RPC handler that throws", { op: "rpc", command: "fail" }, UNSUPPORTED),
  failureCase("a chunk whose look-up throws", chunk("failing"), UNSUPPORTED),
  failureCase(
    "a chunk that is not found",
    chunk("nothing"),
    `${ILLEGAL_STATE}: Chunk was not found`,
  ),
  failureCase("a stream whose look-up throws", stream("failing"), UNSUPPORTED),
  failureCase(
    "a stream that is not found",
    { op: "stream", name: "no-such" },
    "remote Stream 'no-such' was not found.",
  ),
  failureCase(
    "a stream name that is not ASCII",
    { op: "stream", name: "ü:\u{1f600}" },
    "remote Stream 'ü:\u{1f600}' was not found.",
  ),
  failureCase(
    "a merged-meta handler that fails",
    { op: "meta", reduceId: MetaCommand.fail },
    `${ILLEGAL_STATE}: asked to fail`,
  ),
  failureCase(
    "a merged-meta handler that throws",
    { op: "meta", reduceId: MetaCommand.throw },
    `${ILLEGAL_STATE}: asked to throw`,
  ),
  failureCase(
    "an upload whose receiver fails at the end",
    { op: "upload", meta: "fail-at-end", size: BODY_BYTES },
    "remote java.io.IOException: Failure post-processing complete stream; " +
      "failing this rpc and leaving channel active",
  ),
  ...(["missing", "short", "broken"] as const).flatMap((kind) => [
    closingCase(`a chunk of a ${kind} body`, chunk(kind), "connection"),
    closingCase(`a stream of a ${kind} body`, stream(kind), "connection"),
  ]),
  ...(["missing", "short"] as const).flatMap((kind) => [
    eagerCase(`a chunk of a ${kind} file that is opened at once`, chunk(kind)),
  ]),
  closingCase(
    "an upload that is refused",
    upload("refuse"),
    "remote java.lang.UnsupportedOperationException: asked to refuse",
  ),
  closingCase(
    "an upload whose receiver fails in the middle",
    upload("fail-in-data"),
    "remote java.io.IOException: Destination failed while reading stream",
  ),
  ...(["missing", "broken"] as const).map((kind) => uploadSourceCase(kind)),
  {
    name: "a default merged-meta handler",
    run: async (pairing) => {
      const { client } = await pairing.open();
      const batch = await client.begin({ op: "meta", reduceId: MetaCommand.default });
      await client.ask({ op: "rpc", size: 1 });
      return (await batch.soFar()).outcomes;
    },
    expected: { pending: 1 },
  },
  {
    name: "an RPC that is answered twice",
    run: async (pairing) => {
      const { client } = await pairing.open();
      const twice = await client.begin({ op: "rpc", command: "twice", times: 3 });
      const { outcomes } = await client.ask({ op: "rpc", size: 10 });
      return [(await twice.settled()).outcomes, outcomes];
    },
    expected: [{ ok: 3 }, { ok: 1 }],
  },
  {
    name: "one-way messages whose handler is busy counting",
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      const messages = [0, 1, 70_000].map((size) => ({ op: "oneWay", size, times: 100 }) as const);
      await client.ask(...messages, { op: "rpc", size: 1 });
      return (await server.report()).oneWayMessages;
    },
    expected: 300,
  },
  {
    name: "merged-block meta",
    run: async (pairing) => {
      const asked = { op: "meta", appId: "application_1_0042", reduceId: 7 } as const;
      return (await pairing.ask(asked, { op: "meta", appId: "ü", reduceId: 0 })).outcomes;
    },
    expected: { ok: 2 },
  },
];

function chunk(kind: "failing" | "nothing" | "missing" | "short" | "broken"): PeerRequest {
  return { op: "chunk", kind, size: BODY_BYTES };
}

function stream(kind: "failing" | "nothing" | "missing" | "short" | "broken"): PeerRequest {
  return { op: "stream", kind, size: BODY_BYTES };
}

/** It comes in one read: what Spark has not read when it closes may cost the peer the answer. */
function upload(meta: string): PeerRequest {
  return { op: "upload", meta, size: 1000 };
}

/** The requests before and behind the one that fails are answered. */
function failureCase(name: string, request: PeerRequest, outcome: string): PairingCase {
  return {
    name,
    run: async (pairing) => {
      const { client } = await pairing.open();
      const { outcomes } = await client.ask({ op: "rpc", size: 1 }, request, {
        op: "rpc",
        size: 2,
      });
      return { outcomes, isActive: await client.isActive() };
    },
    expected: { outcomes: { ok: 2, [outcome]: 1 }, isActive: true },
  };
}

/** The connection ends with it. */
function closingCase(name: string, request: PeerRequest, outcome: string): PairingCase {
  return {
    name,
    run: async (pairing) => {
      const { client } = await pairing.open();
      return withEnd(client, request);
    },
    expected: { outcomes: { [outcome]: 1 }, isActive: false },
  };
}

async function withEnd(client: PairedClient, request: PeerRequest): Promise<unknown> {
  const { outcomes } = await client.ask(request);
  // An end that was begun is complete in a moment; one that was not shows in the next answer.
  const next = await client.ask({ op: "rpc", size: 1 });
  const isActive = next.outcomes["ok"] === 1;
  if (!isActive)
    await until(
      () => client.isActive(),
      (isUp) => !isUp,
    );
  return { outcomes, isActive };
}

/** Spark opens files before it writes the header when it is told to; a short one is found too late. */
function eagerCase(name: string, request: PeerRequest): PairingCase {
  const conf = { "spark.shuffle.io.lazyFD": "false" };
  return {
    name,
    run: async (pairing) => {
      const { client } = await pairing.open({ server: { conf } });
      const { outcomes, isActive } = (await withEnd(client, request)) as {
        readonly outcomes: Readonly<Record<string, number>>;
        readonly isActive: boolean;
      };
      // The text names the file, which every run calls differently.
      const ends = Object.keys(outcomes).map((text) => text.replace(/^(remote) .*/, "$1"));
      return { ends, isActive };
    },
    expected: name.includes("missing")
      ? { ends: ["remote"], isActive: true }
      : { ends: ["connection"], isActive: false },
  };
}

/** The sender cannot give what it announced. */
function uploadSourceCase(kind: "missing" | "broken"): PairingCase {
  return {
    name: `an upload of a ${kind} body`,
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      const request = { op: "upload", kind, size: BODY_BYTES } as const;
      const end = await withEnd(client, request);
      const { uploadsBegun, uploadsCompleted, uploadsFailed } = await until(
        () => server.report(),
        ({ connections }) => connections === 0,
      );
      return { end, unfinished: uploadsBegun - uploadsFailed, uploadsCompleted };
    },
    expected: {
      end: { outcomes: { connection: 1 }, isActive: false },
      unfinished: 0,
      uploadsCompleted: 0,
    },
  };
}
