/**
 * A reader stops, and goes on: the bytes are whole, and the sender's memory stays small meanwhile.
 * Run alone: memory is that of the whole process.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { PeerRequest } from "../contract.ts";
import type { PairingCase } from "../pairing.ts";
import type { PairedServer, ServerReport } from "../peers.ts";

const MIB = 1024 * 1024;
/** What a process may gain while 192 MiB wait: its own queue, the kernel's buffers are not counted. */
const GAIN_BYTES_MAX = 96 * MIB;
const COUNT = 192;

/** See the file comment. */
export const BACK_PRESSURE_CASES: readonly PairingCase[] = [
  {
    name: "the client stops reading answers that are made in memory, and goes on",
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      await client.read(false);
      const batch = await client.begin({ op: "rpc", command: "fresh", size: MIB, times: COUNT });
      await quiet(server);
      // Each of them is an answer in the server's memory.
      const isBounded = (await server.report()).requests * MIB < GAIN_BYTES_MAX;
      await client.read(true);
      return { isBounded, ...(await batch.settled()) };
    },
    expected: { isBounded: false, outcomes: { ok: COUNT }, bytes: COUNT * MIB },
  },
  stoppedReaderCase("memory chunks", { op: "chunk", size: MIB, times: COUNT }),
  stoppedReaderCase("file chunks", { op: "chunk", kind: "file", size: MIB, times: COUNT }),
  stoppedReaderCase("a file chunk of 192 MiB", { op: "chunk", kind: "file", size: COUNT * MIB }),
  stoppedReaderCase("a file stream of 192 MiB", { op: "stream", kind: "file", size: COUNT * MIB }),
  {
    name: "the server stops reading an upload of 192 MiB, and goes on",
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      const size = COUNT * MIB;
      const before = await client.memoryBytes();
      const batch = await client.begin({ op: "upload", kind: "file", meta: "stop-reading", size });
      await quiet(server);
      const isBounded = (await client.memoryBytes()) - before < GAIN_BYTES_MAX;
      await server.read(true);
      const { outcomes } = await batch.settled();
      return { isBounded, outcomes, uploadedBytes: (await server.report()).uploadedBytes };
    },
    expected: { isBounded: true, outcomes: { ok: 1 }, uploadedBytes: COUNT * MIB },
  },
];

/** Stops twice, for what a first stop leaves behind shows in the second. */
function stoppedReaderCase(name: string, request: PeerRequest): PairingCase {
  const round = { isBounded: true, outcomes: { ok: request.times ?? 1 }, bytes: COUNT * MIB };
  return {
    name: `the client stops reading ${name}, and goes on`,
    run: async (pairing) => {
      const { client, server } = await pairing.open();
      const rounds: unknown[] = [];
      for (let turn = 0; turn < 2; turn += 1) {
        await client.ask({ op: "rpc", size: 1 });
        const before = await server.memoryBytes();
        await client.read(false);
        const batch = await client.begin(request);
        await quiet(server);
        const isBounded = (await server.memoryBytes()) - before < GAIN_BYTES_MAX;
        await client.read(true);
        rounds.push({ isBounded, ...(await batch.settled()) });
      }
      return rounds;
    },
    expected: [round, round],
  };
}

/** Resolves when the server has taken in all that it takes for now. */
async function quiet(server: PairedServer): Promise<void> {
  let last = "";
  for (let unchanged = 0; unchanged < 10; ) {
    await sleep(50);
    const now = progress(await server.report());
    unchanged = now === last && now !== "" ? unchanged + 1 : 0;
    last = now;
  }
}

function progress({ lookups, requests, uploadedBytes, uploadsBegun }: ServerReport): string {
  return lookups + requests + uploadsBegun === 0 ? "" : `${lookups} ${requests} ${uploadedBytes}`;
}
