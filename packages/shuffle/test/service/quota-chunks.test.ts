import { BytesManagedBuffer, type ManagedBuffer } from "@bm/transport";
import { expect, it } from "vitest";
import { FairQuota } from "../../src/service/quota/fair-quota.ts";
import { QuotaChunks, RequestOrder } from "../../src/service/quota/quota-chunks.ts";

it("chunks take their shares in the order in which they were asked for", async () => {
  const quota = new FairQuota(10);
  const order = new RequestOrder();
  const connection = {};
  const lookups = Array.from({ length: 4 }, () => Promise.withResolvers<ManagedBuffer>());
  const chunks = { count: 4, open: (index: number) => lookups[index]!.promise };
  const streams = [0, 1].map(
    () => new QuotaChunks({ chunks, quota, order, appId: "app", connection }),
  );
  const given: number[] = [];
  // Chunks of two streams, as one connection asks for them.
  const bodies = [0, 1, 2, 3].map(async (index) => {
    const body = await streams[index % 2]!.open(index);
    given.push(index);
    return body;
  });
  const failed = bodies[1]!.catch((error: unknown) => String(error));
  lookups[3]?.resolve(new BytesManagedBuffer(Buffer.alloc(10)));
  lookups[2]?.resolve(new BytesManagedBuffer(Buffer.alloc(10)));
  lookups[1]?.reject(new Error("not found"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(given).toEqual([]);
  lookups[0]?.resolve(new BytesManagedBuffer(Buffer.alloc(10)));
  (await bodies[0])?.release();
  (await bodies[2])?.release();
  (await bodies[3])?.release();
  expect(given).toEqual([0, 2, 3]);
  expect(await failed).toBe("Error: not found");
  expect([...quota.held()]).toEqual([]);
});
