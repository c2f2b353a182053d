import net from "node:net";
import { expect, it } from "vitest";
import {
  Channel,
  type ChannelHandler,
  IDLE_EVENT,
  IdleStateHandler,
  nodePlatform,
} from "../../src/index.ts";

const TIMEOUT_MS = 1000;

it("a peer whose bytes wait to be read is not idle, however long this event loop was held up", async () => {
  const { clock, network } = nodePlatform();
  const happened: string[] = [];
  const second = Promise.withResolvers<void>();
  const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    const channel = new Channel({ socket, clock });
    const recorder: ChannelHandler = {
      channelRead: (_context, bytes) => {
        const text = Buffer.from(bytes as Uint8Array).toString();
        happened.push(text);
        if (text === "second") second.resolve();
        if (text !== "first") return;
        // It is in the system's hands when this returns.
        peer.write("second");
        const endMs = clock.nowMs() + TIMEOUT_MS * 1.2;
        while (clock.nowMs() < endMs);
      },
      userEventTriggered: (_context, event) => {
        if (event === IDLE_EVENT) happened.push("idle");
      },
    };
    channel.pipeline
      .addLast("idleStateHandler", new IdleStateHandler(TIMEOUT_MS))
      .addLast("recorder", recorder);
    channel.start();
  });
  const peer = net.connect(listener.address.port, "127.0.0.1", () => peer.write("first"));
  await second.promise;
  expect(happened).toEqual(["first", "second"]);
  peer.destroy();
  await listener.close();
});
