/**
 * What benchmarks and pairings both ask a server for: answers of a given length, slices of the two
 * regions as chunks and streams, counters. The twin of java/src/main/java/bm/interop/PeerHandler.java.
 */
import {
  type BodyLookup,
  BytesManagedBuffer,
  FileSegmentManagedBuffer,
  type Int64,
  type ManagedBuffer,
  nodePlatform,
  RpcHandler,
  type RpcReplyCallback,
  type StreamCallbackWithId,
  StreamManager,
  type TransportClient,
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
export const COUNTERS = -1;

/** See the file comment. */
export class PeerHandler extends RpcHandler {
  readonly streamManager: StreamManager;
  protected readonly memory: Buffer;
  oneWayMessages = 0;
  uploadedBytes = 0;

  /** `file` holds the file region. */
  constructor(file: string, streams: RegionStreams = new RegionStreams(file)) {
    super();
    this.memory = streams.memory;
    this.streamManager = streams;
  }

  override receive(_client: TransportClient, message: Uint8Array, reply: RpcReplyCallback): void {
    const wanted = Buffer.from(message.buffer, message.byteOffset, 4).readInt32BE(0);
    if (wanted === COUNTERS) reply.onSuccess(this.#counters());
    else reply.onSuccess(this.memory.subarray(0, wanted));
  }

  override receiveOneWay(_client: TransportClient, _message: Uint8Array): void {
    this.oneWayMessages += 1;
  }

  override receiveStream(_client: TransportClient, meta: Uint8Array): StreamCallbackWithId {
    return {
      id: Buffer.from(meta).toString(),
      onData: (_id, bytes) => void (this.uploadedBytes += bytes.length),
      onComplete: () => {},
      onFailure: () => {},
    };
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
export class RegionStreams extends StreamManager {
  readonly memory: Buffer;
  protected readonly file: string;

  constructor(file: string, memory: Buffer = regionBytes(MEMORY_REGION_BYTES)) {
    super();
    this.memory = memory;
    this.file = file;
  }

  override getChunk(streamId: Int64, index: number): BodyLookup {
    const { kind, size } = splitStreamId(Number(streamId));
    return this.slice(kind, size, index);
  }

  override openStream(name: string): BodyLookup {
    const [kind, size, index] = name.split(":");
    if (kind === undefined || index === undefined) return null;
    return this.slice(this.kindOf(kind), Number(size), Number(index));
  }

  /** The number of a kind of stream, which is its name in the ids of chunks. */
  protected kindOf(name: string): number {
    return name === "mem" ? RegionKind.memory : RegionKind.file;
  }

  protected slice(kind: number, size: number, index: number): ManagedBuffer | null {
    if (kind === RegionKind.memory) {
      const offset = chunkOffset(MEMORY_REGION_BYTES, size, index);
      return new BytesManagedBuffer(this.memory.subarray(offset, offset + size));
    }
    if (kind !== RegionKind.file) return null;
    const offset = chunkOffset(FILE_REGION_BYTES, size, index);
    return new FileSegmentManagedBuffer({
      files: nodePlatform().files,
      path: this.file,
      offset,
      length: size,
    });
  }
}
