/**
 * Fetches blocks over one connection as fast as they come: lengths and some bytes are checked, nothing
 * is kept.
 */
import {
  decodeBlockTransferMessage,
  encodeBlockTransferMessage,
  type FetchShuffleBlocks,
} from "@bm/shuffle";
import type { BytesManagedBuffer, ChunkReceivedCallback, TransportClient } from "@bm/transport";
import { checkSamples } from "../../load/region-check.ts";
import { APP_ID, EXECUTOR_ID, regionOffset } from "../shuffle-outputs.ts";
import type { FetchJob } from "./client-job.ts";
import { connect } from "./connect.ts";
import type { Counted } from "./counted.ts";

/** Rejects with the first failure, also when a byte was not the right one. */
export async function fetchBlocks(job: FetchJob): Promise<Counted> {
  const client = await connect(job.port);
  try {
    return await new FetchLoad(client, job).run();
  } finally {
    await client.close();
  }
}

class FetchLoad {
  readonly job: FetchJob;
  readonly client: TransportClient;
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers();
  #startedMs = 0;
  #nextStream: number;
  #streamsOpen = 0;
  blocks = 0;
  bytes = 0;

  constructor(client: TransportClient, job: FetchJob) {
    this.client = client;
    this.job = job;
    this.#nextStream = job.firstStream;
  }

  async run(): Promise<Counted> {
    this.#startedMs = performance.now();
    for (let count = 0; count < this.job.streams; count += 1) this.#openNext();
    await this.#end.promise;
    const seconds = (performance.now() - this.#startedMs) / 1000;
    return { operations: this.blocks, bytes: this.bytes, seconds };
  }

  streamEnded(): void {
    this.#streamsOpen -= 1;
    const isTimeUp = performance.now() - this.#startedMs >= this.job.seconds * 1000;
    if (!isTimeUp) this.#openNext();
    else if (this.#streamsOpen === 0) this.#end.resolve();
  }

  fail(error: Error): void {
    this.#end.reject(error);
  }

  #openNext(): void {
    this.#streamsOpen += 1;
    new FetchedStream(this, this.#nextStream).open();
    this.#nextStream += 1;
  }
}

/** The blocks of one request. */
class FetchedStream implements ChunkReceivedCallback {
  readonly #load: FetchLoad;
  readonly #number: number;
  readonly #chunkCount: number;
  #missing: number;

  constructor(load: FetchLoad, number: number) {
    const { outputs, shape } = load.job;
    const isByReducer = shape === "by-reducer";
    this.#load = load;
    this.#number = number % (isByReducer ? outputs.partitions : outputs.maps);
    this.#chunkCount = isByReducer ? outputs.maps : outputs.partitions;
    this.#missing = this.#chunkCount;
  }

  open(): void {
    this.#load.client.sendRpcWith(encodeBlockTransferMessage(this.#request()), {
      onSuccess: (body) => this.#fetchAll(body),
      onFailure: (error) => this.#load.fail(error),
    });
  }

  onSuccess(index: number, body: BytesManagedBuffer): void {
    try {
      this.#take(index, body.view);
    } catch (error) {
      this.#load.fail(error as Error);
    }
  }

  onFailure(_index: number, error: Error): void {
    this.#load.fail(error);
  }

  #take(index: number, bytes: Uint8Array): void {
    const { outputs, shape } = this.#load.job;
    const isByReducer = shape === "by-reducer";
    const map = isByReducer ? index : this.#number;
    const partition = isByReducer ? this.#number : index;
    checkSamples(bytes, regionOffset(outputs, map, partition), outputs.blockBytes);
    this.#load.blocks += 1;
    this.#load.bytes += bytes.length;
    this.#missing -= 1;
    if (this.#missing === 0) this.#load.streamEnded();
  }

  #fetchAll(body: BytesManagedBuffer): void {
    const handle = decodeBlockTransferMessage(body.view);
    if (handle.type !== "StreamHandle" || handle.numChunks !== this.#chunkCount) {
      this.#load.fail(new Error(`not the handle of ${this.#chunkCount} chunks`));
      return;
    }
    const { client } = this.#load;
    for (let index = 0; index < this.#chunkCount; index += 1) {
      client.fetchChunkWith(handle.streamId, index, this);
    }
  }

  #request(): FetchShuffleBlocks {
    const { outputs, shape } = this.#load.job;
    const isByReducer = shape === "by-reducer";
    return {
      type: "FetchShuffleBlocks",
      appId: APP_ID,
      execId: EXECUTOR_ID,
      shuffleId: outputs.shuffleId,
      mapIds: isByReducer ? numbers(outputs.maps).map(BigInt) : [BigInt(this.#number)],
      reduceIds: isByReducer
        ? numbers(outputs.maps).map(() => [this.#number])
        : [numbers(outputs.partitions)],
      batchFetchEnabled: false,
    };
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
