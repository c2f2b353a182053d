/** Streams that were registered: chunks one after the other, each once. */

import type { PairingCase } from "../pairing.ts";
import type { PairedClient, PairedServer } from "../peers.ts";

const SIZE = 1000;
const STATE = "remote java.lang.IllegalStateException: ";

/** See the file comment. */
export const CHUNK_ORDER_CASES: readonly PairingCase[] = [
  orderCase("every chunk in order", async ({ ask }) => ask([0, 1, 2, 3, 4]), { ok: 5 }),
  orderCase("a chunk out of order", async ({ ask }) => ask([0, 2, 1, 1]), {
    ok: 2,
    [`${STATE}Received out-of-order chunk index 2 (expected 1)`]: 1,
    [`${STATE}Received out-of-order chunk index 1 (expected 2)`]: 1,
  }),
  orderCase("a chunk behind the end", async ({ ask }) => ask([0, 1, 2, 3, 4, 5]), {
    ok: 5,
    [`${STATE}Requested chunk not available since streamId ID is closed`]: 1,
  }),
  orderCase("a negative chunk index", async ({ ask }) => ask([-1]), {
    [`${STATE}Received out-of-order chunk index -1 (expected 0)`]: 1,
  }),
  orderCase("a stream that nobody registered", async ({ ask }) => ask([0], 12_345), {
    [`${STATE}Requested chunk not available since streamId 12345 is closed`]: 1,
  }),
  orderCase(
    "chunks and streams in turns on one stream",
    async ({ client, streamId }) => {
      const asked = { streamId, size: SIZE } as const;
      const { outcomes } = await client.ask(
        { op: "chunk", first: 0, ...asked },
        { op: "stream", name: `${streamId}_1`, first: 1, size: SIZE },
        { op: "chunk", first: 2, ...asked },
        { op: "stream", name: `${streamId}_3_further_parts`, first: 3, size: SIZE },
      );
      return outcomes;
    },
    { ok: 4 },
  ),
  orderCase(
    "stream names that are no chunks",
    async ({ client }) => {
      const names = ["abc", "1", "1_"].map((name) => ({ op: "stream", name }) as const);
      return (await client.ask(...names)).outcomes;
    },
    {
      'remote java.lang.NumberFormatException: For input string: "abc"': 1,
      "remote java.lang.ArrayIndexOutOfBoundsException: Index 1 out of bounds for length 1": 2,
    },
  ),
  {
    name: "a stream of another connection that is gone",
    run: async (pairing) => {
      const server = await pairing.listen({ isOneForOne: true });
      const first = await pairing.connect(server);
      const streamId = await first.open(3, SIZE);
      await first.close();
      await noneConnected(server);
      const second = await pairing.connect(server);
      return named(await second.ask({ op: "chunk", streamId, size: SIZE }), streamId);
    },
    expected: { [`${STATE}Requested chunk not available since streamId ID is closed`]: 1 },
  },
];

interface OpenedStream {
  readonly client: PairedClient;
  readonly streamId: number;
  readonly ask: (
    indexes: readonly number[],
    streamId?: number,
  ) => Promise<Readonly<Record<string, number>>>;
}

function orderCase(
  name: string,
  run: (opened: OpenedStream) => Promise<unknown>,
  expected: unknown,
): PairingCase {
  return {
    name,
    run: async (pairing) => {
      const server = await pairing.listen({ isOneForOne: true });
      const client = await pairing.connect(server);
      const streamId = await client.open(5, SIZE);
      const ask: OpenedStream["ask"] = async (indexes, id = streamId) => {
        const requests = indexes.map(
          (first) => ({ op: "chunk", streamId: id, size: SIZE, first }) as const,
        );
        const outcomes: Record<string, number> = {};
        // One by one: two requests for the same chunk at once are another matter.
        for (const request of requests) {
          for (const [text, count] of Object.entries(named(await client.ask(request), streamId))) {
            outcomes[text] = (outcomes[text] ?? 0) + count;
          }
        }
        return outcomes;
      };
      return run({ client, streamId, ask });
    },
    expected,
  };
}

/** The id of the stream is another one every time. */
function named(
  { outcomes }: { readonly outcomes: Readonly<Record<string, number>> },
  streamId: number,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(outcomes).map(([text, count]) => [text.replace(String(streamId), "ID"), count]),
  );
}

async function noneConnected(server: PairedServer): Promise<void> {
  while ((await server.report()).connections > 0);
}
