import { ExternalShuffleService } from "@bm/shuffle";
import { describe, expect, it } from "vitest";
import { OpsServer } from "../src/index.ts";

describe("OpsServer", () => {
  it("is alive and not ready once a drain began", async () => {
    await using service = await ExternalShuffleService.start({ port: 0, host: "127.0.0.1" });
    const ops = await OpsServer.start(service, { host: "127.0.0.1", port: 0 });
    ops.setDraining();
    const [health, ready, post] = await Promise.all([
      fetch(`http://${ops.address}/healthz`),
      fetch(`http://${ops.address}/readyz`),
      fetch(`http://${ops.address}/readyz`, { method: "POST" }),
    ]);
    expect([health.status, ready.status, post.status]).toEqual([200, 503, 405]);
    await ops.close();
    await ops.close();
  });
});
