/** The two halves on @bm/transport. */
import { availableParallelism } from "node:os";
import { streamIdOf } from "@bm/interop";
import {
  NoOpRpcHandler,
  nodePlatform,
  ServerLoops,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "@bm/transport";
import type { Answers, Connect, Link, ServerCounters } from "../load/link.ts";
import { chunkBytesAt, type Workload } from "../suites/workload.ts";
import type { BenchServer, NodeContender, Place } from "./contender.ts";
import { countersBody, requestBody } from "./request-body.ts";

/** See the file comment. */
export const ours: NodeContender = { listen, connectTo };

/** Spark's server has four threads, whatever the machine has. */
const LOOPS_MAX = 4;

async function listen({ host, port }: Place, file: string): Promise<BenchServer> {
  const entry = new URL(import.meta.resolve("./ours-loop.ts"));
  const count = Math.min(LOOPS_MAX, availableParallelism());
  const server = await ServerLoops.start({ count, entry, host, port, data: file });
  return { port: server.port, close: () => server.close({ signal: AbortSignal.timeout(1000) }) };
}

function connectTo({ host, port }: Place): Connect {
  const conf = new TransportConf("shuffle");
  const rpcHandler = new NoOpRpcHandler(nodePlatform().random);
  const factory = new TransportContext({ conf, rpcHandler }).createClientFactory();
  return async (workload) => new OurLink(await factory.createUnmanagedClient(host, port), workload);
}

class OurLink implements Link {
  readonly #client: TransportClient;
  readonly #workload: Workload;

  constructor(client: TransportClient, workload: Workload) {
    this.#client = client;
    this.#workload = workload;
  }

  createSender(answers: Answers): (index: number) => void {
    if (this.#workload.chunkBytes.length > 0) return this.#createChunkSender(answers);
    const client = this.#client;
    const body = requestBody(this.#workload);
    if (this.#workload.pacing === "blocking") {
      const answered = (bytes: Uint8Array): void => answers.answered(bytes);
      const failed = (error: Error): void => answers.failed(error);
      return () => void client.sendRpc(body).then(answered, failed);
    }
    const callback = {
      onSuccess: ({ view }: { readonly view: Uint8Array }) => answers.answered(view),
      onFailure: (error: Error) => answers.failed(error),
    };
    return () => void client.sendRpcWith(body, callback);
  }

  async counters(): Promise<ServerCounters> {
    const json = Buffer.from(await this.#client.sendRpc(countersBody())).toString();
    return JSON.parse(json) as ServerCounters;
  }

  pauseReading(): void {
    this.#client.channel.pauseReading();
  }

  resumeReading(): void {
    this.#client.channel.resumeReading();
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #createChunkSender(answers: Answers): (index: number) => void {
    const client = this.#client;
    const workload = this.#workload;
    const base = streamIdOf(workload.region, 0);
    const callback = {
      onSuccess: (_index: number, { view }: { readonly view: Uint8Array }) =>
        answers.answered(view),
      onFailure: (_index: number, error: Error) => answers.failed(error),
    };
    return (index) => client.fetchChunkWith(base + chunkBytesAt(workload, index), index, callback);
  }
}
