import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BytesManagedBuffer,
  type ClientFactory,
  NoOpRpcHandler,
  nodePlatform,
  type TransportClient,
  TransportConf,
  TransportContext,
  type TransportServer,
} from "@bm/transport";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JvmPeer, missingTools } from "../src/jvm-peer.ts";
import { PeerCommand, PeerHandler } from "../src/peer-handler.ts";
import {
  chunkOffset,
  FILE_REGION_BYTES,
  MEMORY_REGION_BYTES,
  regionBytes,
  streamIdOf,
} from "../src/region.ts";

const missing = await missingTools();
const MIB = 1024 * 1024;
const SIZES = [0, 1, 1024, 65_535, 65_536, 65_537, 262_144, MIB, 5 * MIB + 3];
const CONF = { "spark.shuffle.io.connectionTimeout": "60s" };

describe.skipIf(missing !== null)("interop with Spark's transport", () => {
  let directory = "";
  let file = "";
  let jvm: JvmPeer;
  let handler: PeerHandler;
  let server: TransportServer;
  let factory: ClientFactory;
  let client: TransportClient;
  /** What a start-up that failed half-way has to end too. */
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "bm-interop-"));
    ends.push(() => rm(directory, { recursive: true, force: true }));
    file = join(directory, "region");
    await writeFile(file, regionBytes(FILE_REGION_BYTES));
    jvm = await JvmPeer.start(CONF, file);
    ends.push(() => jvm.stop());
    handler = new PeerHandler(file);
    const conf = new TransportConf("shuffle", CONF);
    server = await new TransportContext({ conf, rpcHandler: handler }).createServer({
      host: "127.0.0.1",
    });
    ends.push(() => server.close({ signal: AbortSignal.timeout(3000) }));
    const rpcHandler = new NoOpRpcHandler(nodePlatform().random);
    factory = new TransportContext({ conf, rpcHandler }).createClientFactory();
    ends.push(() => factory.close());
    client = await factory.createClient("127.0.0.1", jvm.port);
    await jvm.command("connect", { host: "127.0.0.1", port: server.port });
  }, 180_000);

  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });

  describe("our client, their server", () => {
    for (const size of [...SIZES, 16 * MIB]) {
      it(`reads an RPC answer of ${size} bytes`, async () => {
        const answer = await client.sendRpc(int32(size));
        expect(regionBytes(size).equals(answer)).toBe(true);
      });
    }

    it("sends an RPC of 16 MiB", async () => {
      const body = Buffer.concat([int32(PeerCommand.echo), regionBytes(16 * MIB)]);
      expect(regionBytes(16 * MIB).equals(await client.sendRpc(body))).toBe(true);
    });

    it("keeps a thousand RPCs apart", async () => {
      const answers = await Promise.all(
        Array.from({ length: 1000 }, (_, index) => client.sendRpc(int32(index))),
      );
      expect(answers.map(({ length }) => length)).toEqual(answers.map((_, index) => index));
    });

    for (const kind of ["memory", "file"] as const) {
      for (const size of [...SIZES, 64 * MIB]) {
        it(`fetches ${kind} chunks of ${size} bytes`, async () => {
          const region = kind === "memory" ? MEMORY_REGION_BYTES : FILE_REGION_BYTES;
          const count = size > 16 * MIB ? 1 : 3;
          for (let index = 0; index < count; index += 1) {
            const { view } = await client.fetchChunk(streamIdOf(kind, size), index);
            const offset = chunkOffset(region, size, index);
            expect(
              regionBytes(offset + size)
                .subarray(offset)
                .equals(view),
            ).toBe(true);
          }
        });
      }

      it(`reads a ${kind} stream of 5 MiB`, async () => {
        const name = `${kind === "memory" ? "mem" : "file"}:${5 * MIB}:0`;
        expect((await readStream(client, name)).equals(regionBytes(5 * MIB))).toBe(true);
      });
    }

    it("hears of failures and stays connected", async () => {
      await expect(client.sendRpc(int32(PeerCommand.fail))).rejects.toMatchObject({
        code: "REMOTE_FAILURE",
        javaClass: "java.lang.UnsupportedOperationException",
      });
      await expect(client.fetchChunk(streamIdOf("nothing", 1), 0)).rejects.toMatchObject({
        code: "CHUNK_FETCH_FAILED",
      });
      await expect(readStream(client, "no-such")).rejects.toMatchObject({
        message: "Stream 'no-such' was not found.",
      });
      expect(client.isActive).toBe(true);
    });

    for (const size of [0, 1, 100_000, 20 * MIB]) {
      it(`uploads ${size} bytes`, async () => {
        const data = new BytesManagedBuffer(regionBytes(size));
        expect(await client.uploadStream(Buffer.from("meta"), data)).toHaveLength(0);
      });
    }

    it("reads merged block meta", async () => {
      const meta = await client.mergedBlockMeta("app-7", 1, 2, 5);
      expect([meta.numChunks, String(Buffer.from(meta.bitmaps.view))]).toEqual([5, "app-7"]);
    });

    it("hears why an upload was refused before the connection closes", async () => {
      const own = await factory.createUnmanagedClient("127.0.0.1", jvm.port);
      const data = new BytesManagedBuffer(regionBytes(100));
      await expect(own.uploadStream(Buffer.from("refuse"), data)).rejects.toMatchObject({
        code: "REMOTE_FAILURE",
        message: expect.stringContaining("asked to refuse"),
      });
      await own.channel.closed;
    });
  });

  describe("their client, our server", () => {
    for (const size of [...SIZES, 16 * MIB]) {
      it(`reads an RPC answer of ${size} bytes`, async () => {
        expect(await jvm.command("rpc", { bytes: size })).toMatchObject({ bytes: size });
      });
    }

    it("sends an RPC of 16 MiB", async () => {
      expect(await jvm.command("echo", { bytes: 16 * MIB })).toMatchObject({ bytes: 16 * MIB });
    });

    it("keeps a thousand RPCs apart", async () => {
      const answer = await jvm.command("rpc", { bytes: 1000, times: 1000 });
      expect(answer).toMatchObject({ bytes: 1_000_000 });
    });

    for (const kind of ["memory", "file"] as const) {
      for (const size of [...SIZES, 64 * MIB]) {
        it(`fetches ${kind} chunks of ${size} bytes`, async () => {
          const count = size > 16 * MIB ? 2 : 20;
          const fields = { streamId: streamIdOf(kind, size), count };
          expect(await jvm.command("chunks", fields)).toMatchObject({ bytes: size * count });
        });
      }

      it(`reads a ${kind} stream of 5 MiB`, async () => {
        const name = `${kind === "memory" ? "mem" : "file"}:${5 * MIB}:1`;
        expect(await jvm.command("stream", { name })).toMatchObject({ bytes: 5 * MIB });
      });
    }

    it("hears of failures and stays connected", async () => {
      await expect(jvm.command("fail")).rejects.toThrow(
        "java.lang.UnsupportedOperationException: asked to fail",
      );
      for (const kind of ["missingFile", "nothing"] as const) {
        const fields = { streamId: streamIdOf(kind, 10), count: 1 };
        await expect(jvm.command("chunks", fields)).rejects.toThrow("Failure while fetching");
      }
      await expect(jvm.command("stream", { name: "no-such" })).rejects.toThrow(
        "Stream 'no-such' was not found.",
      );
      expect(await jvm.command("isActive")).toMatchObject({ active: true });
    });

    it("counts one-way messages", async () => {
      const before = handler.oneWayMessages;
      await jvm.command("oneWay", { times: 500 });
      expect(handler.oneWayMessages - before).toBe(500);
    });

    for (const size of [0, 1, 100_000, 20 * MIB]) {
      it(`uploads ${size} bytes`, async () => {
        const before = handler.uploadedBytes;
        await jvm.command("upload", { meta: "meta", bytes: size });
        expect(handler.uploadedBytes - before).toBe(size);
      });
    }

    it("hears why an upload failed", async () => {
      const atEnd = jvm.command("upload", { meta: "fail-at-end", bytes: 10 });
      await expect(atEnd).rejects.toThrow("leaving channel active");
      const inData = jvm.command("upload", { meta: "fail-in-data", bytes: 10 });
      await expect(inData).rejects.toThrow("Destination failed while reading stream");
      await reconnect();
      const refused = jvm.command("upload", { meta: "refuse", bytes: 100 });
      await expect(refused).rejects.toThrow("asked to refuse");
      await reconnect();
    });

    /** The pool gives a closing connection out again until it has seen the end of it. */
    async function reconnect(): Promise<void> {
      await expect
        .poll(() => jvm.command("isActive"), { timeout: 10_000 })
        .toMatchObject({ active: false });
      await jvm.command("connect", { host: "127.0.0.1", port: server.port });
    }

    it("reads merged block meta", async () => {
      const answer = await jvm.command("meta", { appId: "app-7", reduceId: 5 });
      expect(answer).toMatchObject({ meta: "5:app-7" });
    });
  });
});

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

async function readStream(client: TransportClient, name: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    client.stream(name, {
      onData: (_id, bytes) => void pieces.push(Buffer.from(bytes)),
      onComplete: () => resolve(),
      onFailure: (_id, error) => reject(error),
    });
  });
  return Buffer.concat(pieces);
}
