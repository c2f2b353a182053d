import { defineMessage, RpcEndpoint, RpcEnv, type RpcMessage, replyLater } from "@bm/rpc";
import { expect, it } from "vitest";
import { gate, Note, Notebook } from "../messages.ts";

const Hold: RpcMessage<void, void> = defineMessage({ type: "Hold" });
const Promised: RpcMessage<void, void> = defineMessage({ type: "Promised" });

class Holder extends RpcEndpoint {
  constructor(opened: Promise<void>) {
    super();
    this.receive(Hold, () => opened);
    this.receiveAndReply(Promised, () => replyLater(opened));
  }
}

it("an environment tells what each endpoint is doing and what waits for it", async () => {
  await using server = await RpcEnv.create({ name: "server" });
  await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
  const { opened, open } = gate();
  const holder = client.endpointRefAt(server.setupEndpoint("holder", new Holder(opened)));
  const notebook = server.setupEndpoint("notebook", new Notebook());
  const waiting = [
    holder.ask(Promised, undefined),
    holder.ask(Hold, undefined),
    holder.ask(Hold, undefined),
  ];
  await notebook.ask(Note, "idle again");
  await expect
    .poll(() => server.endpointStates())
    .toEqual([
      { name: "holder", waitingMessages: 1, waitingBytes: 0, laterReplies: 1, handling: "Hold" },
      { name: "notebook", waitingMessages: 0, waitingBytes: 0, laterReplies: 0, handling: null },
    ]);
  open();
  await Promise.all(waiting);
  await server.stop({ address: null, name: "notebook" });
  await expect
    .poll(() => server.endpointStates())
    .toEqual([
      { name: "holder", waitingMessages: 0, waitingBytes: 0, laterReplies: 0, handling: null },
    ]);
});
