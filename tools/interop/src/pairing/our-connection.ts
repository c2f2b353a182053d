/** Makes the requests of a batch: the twin of ../../java/src/main/java/bm/interop/PeerConnection.java. */
import {
  BytesManagedBuffer,
  FileSegmentManagedBuffer,
  type ManagedBuffer,
  nodePlatform,
  type RpcResponseCallback,
  type TransportClient,
} from "@bm/transport";
import {
  chunkOffset,
  FILE_REGION_BYTES,
  MEMORY_REGION_BYTES,
  regionBytes,
  streamIdOf,
} from "../region.ts";
import { brokenBody } from "./broken-body.ts";
import { type BodyKind, type PeerRequest, RpcCommand } from "./contract.ts";
import { Batch, WrongBytes } from "./outcome.ts";
import { checkRegion, checkWhole } from "./region-check.ts";

type Of<Op extends PeerRequest["op"]> = PeerRequest & { readonly op: Op };

/** See the file comment. */
export class OurConnection {
  readonly client: TransportClient;
  readonly #file: string;
  #isReading = true;

  constructor(client: TransportClient, file: string) {
    this.client = client;
    this.#file = file;
  }

  begin(requests: readonly PeerRequest[]): Batch {
    const batch = new Batch();
    for (const request of requests) {
      for (let turn = 0; turn < (request.times ?? 1); turn += 1) this.#begin(request, turn, batch);
    }
    return batch;
  }

  /** Has the server register chunks; gives the id of their stream. */
  async open(count: number, size: number): Promise<number> {
    const answer = await this.client.sendRpc(int32(RpcCommand.open, count, size));
    return Number(Buffer.from(answer).readBigInt64BE());
  }

  read(isReading: boolean): void {
    if (isReading === this.#isReading) return;
    this.#isReading = isReading;
    if (isReading) this.client.channel.resumeReading();
    else this.client.channel.pauseReading();
  }

  #begin(request: PeerRequest, turn: number, batch: Batch): void {
    switch (request.op) {
      case "rpc":
        return this.#rpc(request, turn, batch);
      case "oneWay":
        return this.client.send(Buffer.concat([int32(0), regionBytes(request.size ?? 0)]));
      case "chunk":
        return this.#chunk(request, turn, batch);
      case "stream":
        return this.#stream(request, turn, batch);
      case "upload":
        return this.#upload(request, batch);
      case "meta":
        return this.#meta(request, batch);
    }
  }

  #rpc({ command = "reply", size = 0, step = 0 }: Of<"rpc">, turn: number, batch: Batch): void {
    const length = size + turn * step;
    const isChecked = command === "reply" || command === "echo" || length > 0;
    const callback = answered(batch, batch.add(), isChecked ? length : null);
    if (command === "reply") this.client.sendRpcWith(int32(length), callback);
    else if (command === "echo") {
      const body = Buffer.concat([int32(RpcCommand.echo), regionBytes(length)]);
      this.client.sendRpcWith(body, callback);
    } else this.client.sendRpcWith(int32(RpcCommand[command], length), callback);
  }

  #chunk(request: Of<"chunk">, turn: number, batch: Batch): void {
    const { first = 0, isSame = false, kind = "memory", size = 0 } = request;
    const streamId = request.streamId ?? streamIdOf(kind, size);
    const number = batch.add();
    this.client.fetchChunkWith(streamId, first + (isSame ? 0 : turn), {
      onSuccess: (index, { view }) =>
        checked(batch, number, view.length, () =>
          checkWhole(view, regionOffset(kind, size, index), size),
        ),
      onFailure: (_index, error) => batch.failed(number, error),
    });
  }

  #stream(request: Of<"stream">, turn: number, batch: Batch): void {
    const { first = 0, kind = "memory", step = 0 } = request;
    const size = (request.size ?? 0) + turn * step;
    const index = first + turn;
    const prefix = kind === "memory" ? "mem" : kind;
    const offset = regionOffset(kind, size, index);
    const number = batch.add();
    let received = 0;
    this.client.stream(request.name ?? `${prefix}:${size}:${index}`, {
      onData: (_id, bytes) => {
        checkRegion(bytes, offset + received);
        received += bytes.length;
      },
      onComplete: () =>
        checked(batch, number, received, () => {
          if (received !== size) throw new WrongBytes(`length ${received}`);
        }),
      onFailure: (_id, error) => batch.failed(number, error),
    });
  }

  #upload({ kind = "memory", meta = "", size = 0 }: Of<"upload">, batch: Batch): void {
    const callback = answered(batch, batch.add(), 0);
    this.client.uploadStreamWith(Buffer.from(meta), this.#body(kind, size), callback);
  }

  #body(kind: BodyKind, length: number): ManagedBuffer {
    const { files } = nodePlatform();
    if (kind === "memory") return new BytesManagedBuffer(regionBytes(length));
    if (kind === "broken") return brokenBody(regionBytes(Math.floor(length / 2)), length);
    const path = kind === "file" ? this.#file : `${this.#file}-missing`;
    return new FileSegmentManagedBuffer({ files, path, offset: 0, length });
  }

  #meta({ appId = "app", reduceId }: Of<"meta">, batch: Batch): void {
    const number = batch.add();
    const query = { appId, shuffleId: 1, shuffleMergeId: 2, reduceId };
    this.client.mergedBlockMetaWith(query, {
      onSuccess: (chunks, { view }) =>
        checked(batch, number, view.length, () => {
          const text = Buffer.from(view).toString();
          if (chunks !== reduceId || text !== appId) throw new WrongBytes(`${chunks}${text}`);
        }),
      onFailure: (error) => batch.failed(number, error),
    });
  }
}

/** `length` is what the answer must have; null takes any. */
function answered(batch: Batch, request: number, length: number | null): RpcResponseCallback {
  return {
    onSuccess: ({ view }) =>
      checked(batch, request, view.length, () => checkWhole(view, 0, length ?? view.length)),
    onFailure: (error) => batch.failed(request, error),
  };
}

function checked(batch: Batch, request: number, bytes: number, check: () => void): void {
  try {
    check();
    batch.succeeded(request, bytes);
  } catch (error) {
    batch.failed(request, error as Error);
  }
}

function regionOffset(kind: BodyKind, size: number, index: number): number {
  if (kind === "memory") return chunkOffset(MEMORY_REGION_BYTES, size, index);
  if (kind === "short") return FILE_REGION_BYTES - Math.floor(size / 2);
  return kind === "file" ? chunkOffset(FILE_REGION_BYTES, size, index) : 0;
}

function int32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, 4 * index);
  return bytes;
}
