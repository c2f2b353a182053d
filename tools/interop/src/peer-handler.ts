/** Our side of the contract of the peers: the twin of java/src/main/java/bm/interop/PeerHandler.java. */
import {
  type BodyLookup,
  BytesManagedBuffer,
  FileSegmentManagedBuffer,
  type Int64,
  type MergedBlockMetaQuery,
  type MergedBlockMetaReplyCallback,
  nodePlatform,
  RpcHandler,
  type RpcReplyCallback,
  type StreamCallbackWithId,
  StreamManager,
  type TransportClient,
  TransportError,
} from "@bm/transport";
import {
  chunkOffset,
  FILE_REGION_BYTES,
  MEMORY_REGION_BYTES,
  RegionKind,
  regionBytes,
  splitStreamId,
} from "./region.ts";

/** What the int32 at the start of an RPC asks for when it is no length. */
export const PeerCommand = { counters: -1, fail: -2, echo: -3, silence: -4 } as const;

/** See the file comment. `file` holds the file region. */
export class PeerHandler extends RpcHandler {
  readonly streamManager: RegionStreams;
  readonly #memory: Buffer;
  oneWayMessages = 0;
  uploadedBytes = 0;

  constructor(file: string) {
    super();
    this.#memory = regionBytes(MEMORY_REGION_BYTES);
    this.streamManager = new RegionStreams(this.#memory, file);
  }

  override receive(_client: TransportClient, message: Uint8Array, reply: RpcReplyCallback): void {
    const request = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    const wanted = request.readInt32BE(0);
    if (wanted === PeerCommand.fail) throw new TransportError("UNSUPPORTED", "asked to fail");
    if (wanted === PeerCommand.silence) return;
    if (wanted === PeerCommand.counters) reply.onSuccess(this.#counters());
    else if (wanted === PeerCommand.echo) reply.onSuccess(Buffer.from(request.subarray(4)));
    else reply.onSuccess(this.#memory.subarray(0, wanted));
  }

  override receiveOneWay(): void {
    this.oneWayMessages += 1;
  }

  override receiveStream(_client: TransportClient, header: Uint8Array): StreamCallbackWithId {
    const meta = Buffer.from(header).toString();
    if (meta === "refuse") throw new TransportError("UNSUPPORTED", "asked to refuse");
    return {
      id: meta,
      onData: (_id, bytes) => {
        this.uploadedBytes += bytes.length;
        if (meta === "fail-in-data") throw new Error("asked to fail in data");
      },
      onComplete: () => {
        if (meta === "fail-at-end") throw new Error("asked to fail at end");
      },
      onFailure: () => {},
    };
  }

  override receiveMergedBlockMetaRequest(
    _client: TransportClient,
    request: MergedBlockMetaQuery,
    reply: MergedBlockMetaReplyCallback,
  ): void {
    reply.onSuccess(request.reduceId, Buffer.from(request.appId));
  }

  #counters(): Buffer {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    return Buffer.from(
      JSON.stringify({
        cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
        residentBytes: maxRSS * 1024,
        oneWayMessages: this.oneWayMessages,
        uploadedBytes: this.uploadedBytes,
      }),
    );
  }
}

/** Slices of the two regions. Every chunk can be had any number of times, in any order. */
class RegionStreams extends StreamManager {
  readonly #memory: Buffer;
  readonly #file: string;

  constructor(memory: Buffer, file: string) {
    super();
    this.#memory = memory;
    this.#file = file;
  }

  override getChunk(streamId: Int64, index: number): BodyLookup {
    const { kind, size } = splitStreamId(Number(streamId));
    return this.#slice(kind, size, index);
  }

  override openStream(name: string): BodyLookup {
    const [kind, size, index] = name.split(":");
    if (index === undefined) return null;
    const number = kind === "mem" ? RegionKind.memory : RegionKind.file;
    return this.#slice(number, Number(size), Number(index));
  }

  #slice(kind: number, size: number, index: number): BodyLookup {
    if (kind === RegionKind.memory) {
      const offset = chunkOffset(MEMORY_REGION_BYTES, size, index);
      return new BytesManagedBuffer(this.#memory.subarray(offset, offset + size));
    }
    if (kind !== RegionKind.file && kind !== RegionKind.missingFile) return null;
    const path = kind === RegionKind.file ? this.#file : `${this.#file}/no-such-file`;
    const offset = kind === RegionKind.file ? chunkOffset(FILE_REGION_BYTES, size, index) : 0;
    const { files } = nodePlatform();
    return new FileSegmentManagedBuffer({ files, path, offset, length: size });
  }
}
