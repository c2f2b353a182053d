/** The two halves on @bm/rpc: an endpoint that gives each note back, and asks. */
import { MEMORY_REGION_BYTES, regionBytes } from "@bm/interop";
import { defineMessage, type MessageCodec, RpcEndpoint, RpcEnv } from "@bm/rpc";
import type { Connect, ServerCounters } from "../load/link.ts";
import type { NodeContender } from "./contender.ts";
import { answerWith, decodeNote, encodeNote, type Note, noteOf } from "./note-message.ts";
import { countersOfThisProcess } from "./request-body.ts";

const ENDPOINT = "notes";

const noteCodec: MessageCodec<Note> = { encode: encodeNote, decode: decodeNote };
const countersCodec: MessageCodec<ServerCounters> = {
  encode: () => countersOfThisProcess(),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as ServerCounters,
};

const Echo = defineMessage<Note, Note>({ type: "Echo", request: noteCodec, reply: noteCodec });
const Count = defineMessage<void, ServerCounters>({ type: "Count", reply: countersCodec });

class Notes extends RpcEndpoint {
  constructor() {
    super();
    this.receiveAndReply(Echo, (note) => note);
    // The codec looks when it writes.
    this.receiveAndReply(Count, () => ({ cpuSeconds: 0, residentBytes: 0 }));
  }
}

/** See the file comment. */
export const oursMessages: NodeContender = {
  async listen({ host, port }) {
    const env = await RpcEnv.create({ name: "bench", host, port });
    env.setupEndpoint(ENDPOINT, new Notes());
    return { port: env.address?.port ?? 0, close: () => env.close() };
  },
  connectTo,
};

function connectTo({ host, port }: { readonly host: string; readonly port: number }): Connect {
  const region = regionBytes(MEMORY_REGION_BYTES);
  return async (workload) => {
    const env = await RpcEnv.create({ name: "bench", isClientOnly: true });
    const notes = env.endpointRef({ host, port }, ENDPOINT);
    return {
      createSender: (answers) => (index) => {
        notes.ask(Echo, noteOf(workload, index, region)).then(
          (note) => answerWith(answers, note, index),
          (error: Error) => answers.failed(error),
        );
      },
      counters: () => notes.ask(Count, undefined),
      pauseReading: noCounterpart,
      resumeReading: () => {},
      close: () => env.close(),
    };
  };
}

function noCounterpart(): never {
  throw new Error("typed messages have no counterpart of this suite");
}
