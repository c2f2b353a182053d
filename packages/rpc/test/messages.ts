/** Messages and endpoints that the tests of this package share. */
import { defineMessage, type MessageCodec, RpcEndpoint, RpcError, type RpcMessage } from "@bm/rpc";

/** Any value as JSON: a codec need not be protobuf. */
export function jsonCodec<Value>(): MessageCodec<Value> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => {
      try {
        return JSON.parse(Buffer.from(bytes).toString("utf8")) as Value;
      } catch (cause) {
        throw new RpcError("MESSAGE_MALFORMED", "no JSON", { cause });
      }
    },
  };
}

export const Add: RpcMessage<number, number> = defineMessage({
  type: "Add",
  request: jsonCodec<number>(),
  reply: jsonCodec<number>(),
});

export const Note: RpcMessage<string, void> = defineMessage({
  type: "Note",
  request: jsonCodec<string>(),
});

export const Read: RpcMessage<void, readonly string[]> = defineMessage({
  type: "Read",
  reply: jsonCodec<readonly string[]>(),
});

export const Fail: RpcMessage<string, void> = defineMessage({
  type: "Fail",
  request: jsonCodec<string>(),
});

/** Never handled by the endpoints below. */
export const Strange: RpcMessage<void, void> = defineMessage({ type: "Strange" });

/** What Fail makes a handler throw. */
export class NoteError extends Error {
  readonly code = "NOTE_LOST";
}

/** Keeps notes and a sum. */
export class Notebook extends RpcEndpoint {
  readonly notes: string[] = [];
  readonly errors: Error[] = [];
  #sum = 0;

  constructor() {
    super();
    this.receiveAndReply(Add, (term) => {
      this.#sum += term;
      return this.#sum;
    });
    this.receive(Note, (note) => {
      this.notes.push(note);
    });
    this.receiveAndReply(Read, () => [...this.notes]);
    this.receive(Fail, (text) => {
      throw new NoteError(text);
    });
  }

  override onError(error: Error): void {
    this.errors.push(error);
  }
}

/** A promise with its handles. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
