/** The two halves on @grpc/grpc-js: unary calls with the same bodies, bytes in and bytes out. */
import { MEMORY_REGION_BYTES, regionBytes } from "@bm/interop";
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import type { Answers, Connect, Link, ServerCounters } from "../load/link.ts";
import type { Workload } from "../suites/workload.ts";
import type { BenchServer, NodeContender, Place } from "./contender.ts";
import { COUNTERS, countersBody, countersOfThisProcess, requestBody } from "./request-body.ts";

/** See the file comment. */
export const grpc: NodeContender = { listen, connectTo };

const PATH = "/bm.Bench/Ask";
/** No limits, and every link is a connection of its own, as in the other contenders. */
export const GRPC_OPTIONS = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.use_local_subchannel_pool": 1,
};
const asIs = (bytes: Buffer): Buffer => bytes;

const SERVICE: ServiceDefinition = {
  ask: {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

function listen(place: Place): Promise<BenchServer> {
  const region = regionBytes(MEMORY_REGION_BYTES);
  const server = new Server(GRPC_OPTIONS);
  server.addService(SERVICE, {
    ask: (
      call: { readonly request: Buffer },
      reply: (error: { code: number } | null, body?: Buffer) => void,
    ) => {
      const wanted = call.request.readInt32BE(0);
      if (wanted === COUNTERS) reply(null, countersOfThisProcess());
      else if (wanted >= 0) reply(null, region.subarray(0, wanted));
      else reply({ code: status.UNIMPLEMENTED });
    },
  });
  return bindGrpc(server, place);
}

/** Lets a server listen. */
export function bindGrpc(server: Server, { host, port }: Place): Promise<BenchServer> {
  const close = async (): Promise<void> => server.forceShutdown();
  const bound = Promise.withResolvers<BenchServer>();
  server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, boundPort) => {
    if (error !== null) bound.reject(error);
    else bound.resolve({ port: boundPort, close });
  });
  return bound.promise;
}

function connectTo({ host, port }: Place): Connect {
  return async (workload): Promise<Link> => {
    const client = new Client(`${host}:${port}`, credentials.createInsecure(), GRPC_OPTIONS);
    await whenReady(client);
    return new GrpcLink(client, workload);
  };
}

/** Resolves when a client has its connection. */
export function whenReady(client: Client): Promise<void> {
  const ready = Promise.withResolvers<void>();
  client.waitForReady(Date.now() + 5000, (error) => {
    if (error === undefined) ready.resolve();
    else ready.reject(error);
  });
  return ready.promise;
}

class GrpcLink implements Link {
  readonly #client: Client;
  readonly #workload: Workload;

  constructor(client: Client, workload: Workload) {
    this.#client = client;
    this.#workload = workload;
  }

  createSender(answers: Answers): (index: number) => void {
    const body = requestBody(this.#workload);
    const onAnswer = (error: Error | null, bytes?: Buffer): void => {
      if (error === null) answers.answered(bytes ?? Buffer.alloc(0));
      else answers.failed(error);
    };
    return () => void this.#client.makeUnaryRequest(PATH, asIs, asIs, body, onAnswer);
  }

  counters(): Promise<ServerCounters> {
    const answer = Promise.withResolvers<ServerCounters>();
    this.#client.makeUnaryRequest(PATH, asIs, asIs, countersBody(), (error, bytes) => {
      if (error === null) answer.resolve(JSON.parse(String(bytes)) as ServerCounters);
      else answer.reject(error);
    });
    return answer.promise;
  }

  pauseReading(): void {
    throw new Error("gRPC has no counterpart of this suite");
  }

  resumeReading(): void {}

  close(): Promise<void> {
    return Promise.resolve(this.#client.close());
  }
}
