/**
 * Our client of a shuffle service: the twin of
 * ../../java/src/main/java/bm/interop/ShuffleClientCommands.java.
 */
import {
  DownloadFiles,
  ExternalShuffleClient,
  roaringBitmapBytes,
  roaringBitmapValues,
} from "@bm/shuffle";
import {
  BytesManagedBuffer,
  type ManagedBuffer,
  NoOpRpcHandler,
  nodePlatform,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "@bm/transport";
import { BlockOutcomes } from "./block-outcomes.ts";
import type { ShuffleCommand } from "./shuffle-command.ts";

const HOST = "127.0.0.1";

/** Whose client it is. */
export interface OurShuffleClientOptions {
  readonly conf: Readonly<Record<string, string>>;
  readonly appId: string;
  readonly attemptId: number;
}

/** See the file comment. */
export class OurShuffleClient {
  readonly #client: ExternalShuffleClient;
  readonly #conf: TransportConf;

  constructor({ appId, attemptId, conf }: OurShuffleClientOptions) {
    this.#conf = new TransportConf("shuffle", conf);
    this.#client = new ExternalShuffleClient({
      conf: this.#conf,
      appId,
      appAttemptId: attemptId,
      registrationAttemptsMax: 1,
    });
  }

  async run(command: ShuffleCommand): Promise<object> {
    const { exec = "", mergeId = 0, port, shuffleId = 0 } = command;
    switch (command.op) {
      case "register":
        await this.#client.registerWithShuffleServer(HOST, port, exec, {
          localDirs: command.localDirs ?? [],
          subDirsPerLocalDir: 64,
          shuffleManager: command.manager ?? "",
        });
        return {};
      case "fetch":
        return { blocks: await this.#fetch(command) };
      case "push":
        return { blocks: await this.#push(command) };
      case "remove":
        return {
          removed: await this.#client.removeBlocks(HOST, port, exec, command.blocks ?? []),
        };
      case "dirs":
        return { dirs: await this.#dirs(port, command.execs ?? []) };
      case "finalize":
        return { merged: await this.#finalize(port, shuffleId, mergeId) };
      case "meta":
        return { chunks: await this.#meta(port, shuffleId, mergeId, command.reduceId ?? 0) };
      case "removeMerge":
        await this.#client.removeShuffleMerge(HOST, port, shuffleId, mergeId);
        return { sent: true };
      case "diagnose":
        return { cause: await this.#diagnose(command) };
      case "raw":
      case "rawUpload":
        return { answer: await this.#raw(command) };
    }
  }

  /** Each block in base64, or `!` and the text of its failure. */
  async #fetch({ blocks = [], dir, exec = "", port }: ShuffleCommand): Promise<object> {
    const outcomes = new BlockOutcomes();
    const { files, random } = nodePlatform();
    if (dir === undefined) await this.#client.fetchBlocks(HOST, port, exec, blocks, outcomes);
    else {
      await using downloads = new DownloadFiles({ files, random, directory: dir });
      await this.#client.fetchBlocks(HOST, port, exec, blocks, outcomes, { downloads });
      return await outcomes.told();
    }
    return outcomes.told();
  }

  async #push({ blocks = [], contents = [], port }: ShuffleCommand): Promise<object> {
    const outcomes = new BlockOutcomes();
    const bodies = blocks.map((name, index): [string, ManagedBuffer] => [
      name,
      new BytesManagedBuffer(Buffer.from(contents[index] ?? "", "base64")),
    ]);
    await this.#client.pushBlocks(HOST, port, new Map(bodies), outcomes);
    return outcomes.told();
  }

  async #dirs(port: number, execs: readonly string[]): Promise<object> {
    const dirs = await this.#client.getHostLocalDirs(HOST, port, execs);
    return Object.fromEntries([...dirs].map(([exec, paths]) => [exec, paths.join(",")]));
  }

  async #finalize(port: number, shuffleId: number, mergeId: number): Promise<object> {
    const statuses = await this.#client.finalizeShuffleMerge(HOST, port, shuffleId, mergeId);
    return Object.fromEntries(
      statuses.reduceIds.map((reduceId, index) => {
        const maps = [...roaringBitmapValues(statuses.bitmaps[index] ?? Buffer.alloc(0))];
        return [reduceId, `${statuses.sizes[index]}:{${maps.join(",")}}`];
      }),
    );
  }

  async #meta(port: number, shuffleId: number, mergeId: number, reduceId: number): Promise<string> {
    const partition = { shuffleId, shuffleMergeId: mergeId, reduceId };
    const { bitmaps, numChunks } = await this.#client.getMergedBlockMeta(HOST, port, partition);
    const chunks: string[] = [];
    let offset = 0;
    for (let chunk = 0; chunk < numChunks; chunk += 1) {
      chunks.push(`{${[...roaringBitmapValues(bitmaps.view, offset)].join(",")}}`);
      offset += roaringBitmapBytes(bitmaps.view, offset);
    }
    bitmaps.release();
    return chunks.join(";");
  }

  #diagnose(command: ShuffleCommand): Promise<string> {
    return this.#client.diagnoseCorruption(HOST, command.port, {
      execId: command.exec ?? "",
      shuffleId: command.shuffleId ?? 0,
      mapId: BigInt(command.mapId ?? 0),
      reduceId: command.reduceId ?? 0,
      checksum: BigInt(command.checksum ?? 0),
      algorithm: command.algorithm ?? "",
    });
  }

  /** Messages that no client of a shuffle service sends, byte by byte. */
  async #raw({ hex = "", op, port, size = 0 }: ShuffleCommand): Promise<string> {
    const rpcHandler = new NoOpRpcHandler(nodePlatform().random);
    const context = new TransportContext({ conf: this.#conf, rpcHandler });
    await using factory = context.createClientFactory();
    const client: TransportClient = await factory.createUnmanagedClient(HOST, port);
    try {
      const bytes = Buffer.from(hex, "hex");
      const data = new BytesManagedBuffer(Buffer.alloc(size));
      const asking = op === "raw" ? client.sendRpc(bytes) : client.uploadStream(bytes, data);
      return Buffer.from(await asking).toString("hex");
    } finally {
      client.abort(new Error("the answer came"));
    }
  }
}
