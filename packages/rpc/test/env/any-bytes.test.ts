import { RpcEnv } from "@bm/rpc";
import { NoOpRpcHandler, TransportConf, TransportContext } from "@bm/transport";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Add, Notebook } from "../messages.ts";

describe("an environment", () => {
  it("answers any request of the transport, survives any notice, and goes on", async () => {
    await using env = await RpcEnv.create({ name: "server" });
    const ref = env.setupEndpoint("notebook", new Notebook());
    const conf = new TransportConf("rpc");
    const context = new TransportContext({
      conf,
      rpcHandler: new NoOpRpcHandler(env.platform.random),
    });
    await using clients = context.createClientFactory();
    const client = await clients.createClient("127.0.0.1", ref.address?.port ?? 0);

    // Field numbers and lengths that are nearly right find more than noise does.
    const aByte = fc.oneof(fc.nat(255), fc.constantFrom(0x0a, 0x12, 0x1a, 0x20, 0, 1, 2, 3));
    const aBody = fc.array(aByte, { maxLength: 80 }).map((bytes) => Uint8Array.from(bytes));
    await fc.assert(
      fc.asyncProperty(aBody, async (body) => {
        client.send(body);
        const answer = await client.sendRpc(body);
        expect(answer.length).toBeGreaterThan(0);
      }),
    );
    await expect(ref.ask(Add, 1)).resolves.toBe(1);
  });
});
