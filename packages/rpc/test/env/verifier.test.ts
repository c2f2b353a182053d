import { RpcEnv } from "@bm/rpc";
import { describe, expect, it } from "vitest";
import { Add, Notebook } from "../messages.ts";

describe("the endpoint verifier", () => {
  it("gives references to endpoints that exist, here and elsewhere", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    await using client = await RpcEnv.create({ name: "client", isClientOnly: true });
    server.setupEndpoint("notebook", new Notebook());
    for (const env of [server, client]) {
      const ref = await env.setupEndpointRef(server.address, "notebook");
      await expect(ref.ask(Add, 0)).resolves.toBe(0);
      await expect(env.setupEndpointRef(server.address, "absent")).rejects.toMatchObject({
        code: "ENDPOINT_NOT_FOUND",
      });
    }
  });

  it("no longer knows an endpoint that was stopped", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    const ref = server.setupEndpoint("notebook", new Notebook());
    await server.stop(ref);
    await expect(server.setupEndpointRef(server.address, "notebook")).rejects.toMatchObject({
      code: "ENDPOINT_NOT_FOUND",
    });
  });

  it("keeps its name to itself", async () => {
    await using server = await RpcEnv.create({ name: "server" });
    expect(() => server.setupEndpoint("endpoint-verifier", new Notebook())).toThrow(
      expect.objectContaining({ code: "ENDPOINT_NAME_INVALID" }),
    );
    expect(server.endpointStates()).toEqual([]);
  });
});
