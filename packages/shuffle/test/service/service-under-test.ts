/** A shuffle service over real sockets, with the files that a real executor wrote. */
import { copyFile, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { localFilePath } from "@bm/block";
import {
  type ClientFactory,
  NoOpRpcHandler,
  nodePlatform,
  type TransportClient,
  TransportConf,
  TransportContext,
} from "@bm/transport";
import {
  type BlockTransferMessage,
  decodeBlockTransferMessage,
  ExternalShuffleService,
  type ExternalShuffleServiceOptions,
  encodeBlockTransferMessage,
  type StreamHandle,
} from "../../src/index.ts";
import { readVectors, VECTORS } from "../read-vectors.ts";

export interface RecordedOutput {
  readonly set: string;
  readonly index: string;
  readonly data: string;
  readonly checksum: string;
  readonly algorithm: string;
  readonly partitions: readonly {
    readonly reduceId: number;
    readonly offset: number;
    readonly length: number;
    readonly checksum: string;
  }[];
}

export const APP = "app-20240101000000-0000";
export const SHUFFLE_MANAGER = "org.apache.spark.shuffle.sort.SortShuffleManager";
const manifest = readVectors("shuffle-files/network-manifest.json") as { sort: RecordedOutput[] };

/** Map outputs of real executors; `shuffle_<shuffle>_<map>_0` are in their names. */
export const recordedOutputs: readonly RecordedOutput[] = manifest.sort;

const { random } = nodePlatform();
const ends: (() => unknown)[] = [];

/** Runs when the test is over; the last one first. */
export function afterwards(end: () => unknown): void {
  ends.push(end);
}

export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).toReversed()) await end();
}

export async function temporaryDirectory(): Promise<string> {
  const made = await realpath(await mkdtemp(join(tmpdir(), "shuffle-service-")));
  afterwards(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** Puts the recorded files of a set where an executor with these directories would. */
export async function layOut(set: string, localDirs: readonly string[]): Promise<void> {
  for (const output of recordedOutputs.filter((candidate) => candidate.set === set)) {
    for (const file of [output.index, output.data, output.checksum]) {
      const { path } = localFilePath(localDirs, 64, basename(file));
      await mkdir(dirname(path), { recursive: true });
      await copyFile(join(VECTORS, "shuffle-files", file), path);
    }
  }
}

export async function startService(
  options: ExternalShuffleServiceOptions = {},
): Promise<ExternalShuffleService> {
  const service = await ExternalShuffleService.start({ port: 0, host: "127.0.0.1", ...options });
  afterwards(() => service.close());
  return service;
}

/** Sends messages and reads their answers. */
export class Asker {
  readonly client: TransportClient;

  constructor(client: TransportClient) {
    this.client = client;
  }

  static async connect(port: number): Promise<Asker> {
    const conf = new TransportConf("shuffle");
    const rpcHandler = new NoOpRpcHandler(random);
    const clients: ClientFactory = new TransportContext({ conf, rpcHandler }).createClientFactory();
    afterwards(() => clients.close());
    return new Asker(await clients.createUnmanagedClient("127.0.0.1", port));
  }

  async ask(message: BlockTransferMessage): Promise<BlockTransferMessage | null> {
    const answer = await this.client.sendRpc(encodeBlockTransferMessage(message));
    return answer.length === 0 ? null : decodeBlockTransferMessage(answer);
  }

  async open(message: BlockTransferMessage): Promise<StreamHandle> {
    const handle = await this.ask(message);
    if (handle?.type !== "StreamHandle") throw new Error(`answered with ${handle?.type}`);
    return handle;
  }

  async chunk(streamId: StreamHandle["streamId"], index: number): Promise<Buffer> {
    const body = await this.client.fetchChunk(streamId, index);
    return Buffer.from(await body.bytes());
  }

  register(execId: string, localDirs: readonly string[], appId: string = APP): Promise<unknown> {
    const executorInfo = { localDirs, subDirsPerLocalDir: 64, shuffleManager: SHUFFLE_MANAGER };
    return this.ask({ type: "RegisterExecutor", appId, execId, executorInfo });
  }
}

/** First line of the failure of a promise, without its prefix of a chunk failure. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const [line = ""] = (error as Error).message.split("\n");
    return line.replace(/^Failure while fetching .*?\]: /, "");
  }
  return "no failure";
}
