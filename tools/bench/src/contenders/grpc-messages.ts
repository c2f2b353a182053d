/** The two halves on @grpc/grpc-js: a unary method that gives each note back, and calls. */
import { MEMORY_REGION_BYTES, regionBytes } from "@bm/interop";
import { Client, credentials, Server, type ServiceDefinition } from "@grpc/grpc-js";
import type { Answers, Connect, ServerCounters } from "../load/link.ts";
import type { Workload } from "../suites/workload.ts";
import type { NodeContender, Place } from "./contender.ts";
import { bindGrpc, GRPC_OPTIONS, whenReady } from "./grpc.ts";
import { answerWith, decodeNote, encodeNote, type Note, noteOf } from "./note-message.ts";
import { countersOfThisProcess } from "./request-body.ts";

const ECHO = "/bm.Bench/Echo";
const COUNT = "/bm.Bench/Count";
const asIs = (bytes: Buffer): Buffer => bytes;
const noBytes = Buffer.alloc(0);

const SERVICE: ServiceDefinition = {
  echo: {
    path: ECHO,
    requestStream: false,
    responseStream: false,
    requestSerialize: encodeNote,
    requestDeserialize: decodeNote,
    responseSerialize: encodeNote,
    responseDeserialize: decodeNote,
  },
  count: {
    path: COUNT,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

type Reply<Value> = (error: null, value: Value) => void;

/** See the file comment. */
export const grpcMessages: NodeContender = {
  listen(place) {
    const server = new Server(GRPC_OPTIONS);
    server.addService(SERVICE, {
      echo: (call: { readonly request: Note }, reply: Reply<Note>) => reply(null, call.request),
      count: (_call: unknown, reply: Reply<Buffer>) => reply(null, countersOfThisProcess()),
    });
    return bindGrpc(server, place);
  },
  connectTo,
};

function connectTo({ host, port }: Place): Connect {
  const region = regionBytes(MEMORY_REGION_BYTES);
  return async (workload) => {
    const client = new Client(`${host}:${port}`, credentials.createInsecure(), GRPC_OPTIONS);
    await whenReady(client);
    return {
      createSender: (answers) => (index) => askFor(client, workload, index, region, answers),
      counters: () => countersOf(client),
      pauseReading: noCounterpart,
      resumeReading: () => {},
      close: () => Promise.resolve(client.close()),
    };
  };
}

function askFor(
  client: Client,
  workload: Workload,
  index: number,
  region: Buffer,
  answers: Answers,
): void {
  const note = noteOf(workload, index, region);
  client.makeUnaryRequest(ECHO, encodeNote, decodeNote, note, (error, answer) => {
    if (error !== null) answers.failed(error);
    else if (answer === undefined) answers.failed(new Error("an answer without note"));
    else answerWith(answers, answer, index);
  });
}

function countersOf(client: Client): Promise<ServerCounters> {
  const answer = Promise.withResolvers<ServerCounters>();
  client.makeUnaryRequest(COUNT, asIs, asIs, noBytes, (error, bytes) => {
    if (error === null) answer.resolve(JSON.parse(String(bytes)) as ServerCounters);
    else answer.reject(error);
  });
  return answer.promise;
}

function noCounterpart(): never {
  throw new Error("gRPC has no counterpart of this suite");
}
