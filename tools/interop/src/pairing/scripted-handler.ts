/**
 * Does on request what can go wrong. The twin of
 * ../../java/src/main/java/bm/interop/ScriptedHandler.java.
 */
import {
  BytesManagedBuffer,
  chunksOf,
  FileSegmentManagedBuffer,
  type ManagedBuffer,
  type MergedBlockMetaQuery,
  type MergedBlockMetaReplyCallback,
  nodePlatform,
  OneForOneStreamManager,
  type RpcReplyCallback,
  type StreamCallbackWithId,
  type StreamManager,
  type TransportClient,
  TransportError,
} from "@bm/transport";
import { COUNTERS, PeerHandler, RegionStreams } from "../peer-handler.ts";
import { chunkOffset, FILE_REGION_BYTES, MEMORY_REGION_BYTES, RegionKind } from "../region.ts";
import { brokenBody } from "./broken-body.ts";
import { MetaCommand, RpcCommand } from "./contract.ts";
import { checkRegion } from "./region-check.ts";

/** Slices, and bodies that cannot be had. */
class ScriptedStreams extends RegionStreams {
  /** Chunks and streams that were asked for. */
  lookups = 0;

  protected override kindOf(name: string): number {
    if (name === "mem") return RegionKind.memory;
    return Object.hasOwn(RegionKind, name) ? RegionKind[name as keyof typeof RegionKind] : 0;
  }

  protected override slice(kind: number, size: number, index: number): ManagedBuffer | null {
    this.lookups += 1;
    switch (kind) {
      case RegionKind.missing:
        return this.#segment(`${this.file}-missing`, 0, size);
      case RegionKind.short:
        return this.#segment(this.file, FILE_REGION_BYTES - Math.floor(size / 2), size);
      case RegionKind.broken:
        return brokenBody(this.memory.subarray(0, Math.floor(size / 2)), size);
      case RegionKind.failing:
        throw new TransportError("UNSUPPORTED", "asked to fail");
      default:
        return super.slice(kind, size, index);
    }
  }

  #segment(path: string, offset: number, length: number): ManagedBuffer {
    const { files } = nodePlatform();
    return new FileSegmentManagedBuffer({ files, path, offset, length });
  }
}

/** See the file comment. */
export class ScriptedHandler extends PeerHandler {
  readonly connections: Set<TransportClient> = new Set();
  requests = 0;
  uploadsBegun = 0;
  uploadsCompleted = 0;
  uploadsFailed = 0;
  readonly #streams: ScriptedStreams;
  readonly #opened: OneForOneStreamManager | null;
  readonly #held: (() => void)[] = [];
  readonly #stopped = new Set<TransportClient>();
  override readonly streamManager: StreamManager;

  /** `isOneForOne`: chunks come from streams that were opened, instead of the regions. */
  constructor(file: string, memory: Buffer, isOneForOne: boolean) {
    const streams = new ScriptedStreams(file, memory);
    super(file, streams);
    this.#streams = streams;
    this.#opened = isOneForOne ? new OneForOneStreamManager(nodePlatform().random) : null;
    this.streamManager = this.#opened ?? streams;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  get lookups(): number {
    return this.#streams.lookups;
  }

  stopReading(client: TransportClient): void {
    if (this.#stopped.has(client)) return;
    this.#stopped.add(client);
    client.channel.pauseReading();
  }

  goOnReading(): void {
    for (const { channel } of this.#stopped) channel.resumeReading();
    this.#stopped.clear();
  }

  /** Answers what was held, the last one first. */
  release(): void {
    for (const answer of this.#held.splice(0).toReversed()) answer();
  }

  override receive(client: TransportClient, message: Uint8Array, reply: RpcReplyCallback): void {
    this.requests += 1;
    const request = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    const wanted = request.readInt32BE(0);
    if (wanted >= COUNTERS) super.receive(client, message, reply);
    else this.#obey(wanted, request.subarray(4), client, reply);
  }

  #obey(command: number, rest: Buffer, client: TransportClient, reply: RpcReplyCallback): void {
    switch (command) {
      case RpcCommand.fail:
        throw new TransportError("UNSUPPORTED", "asked to fail");
      case RpcCommand.echo:
        return reply.onSuccess(Buffer.from(rest));
      case RpcCommand.silence:
        return;
      case RpcCommand.hangUp:
        return client.abort(new TransportError("CLOSED", "asked to hang up"));
      case RpcCommand.twice:
        reply.onSuccess(this.memory.subarray(0, 1));
        return reply.onSuccess(this.memory.subarray(0, 2));
      case RpcCommand.fresh:
        return reply.onSuccess(Buffer.from(this.memory.subarray(0, rest.readInt32BE(0))));
      case RpcCommand.stopReading:
        this.stopReading(client);
        return reply.onSuccess(Buffer.alloc(0));
      case RpcCommand.hold: {
        const answer = this.memory.subarray(0, rest.readInt32BE(0));
        return void this.#held.push(() => reply.onSuccess(answer));
      }
      case RpcCommand.open:
        return reply.onSuccess(
          this.#open(client.channel, rest.readInt32BE(0), rest.readInt32BE(4)),
        );
      default:
        throw new TransportError("OPTION_INVALID", `unknown command ${command}`);
    }
  }

  /** Registers `count` chunks of `size` bytes, the slices of the memory region. */
  #open(channel: TransportClient["channel"], count: number, size: number): Buffer {
    if (this.#opened === null) throw new TransportError("UNSUPPORTED", "nothing to open here");
    const chunks = Array.from({ length: count }, (_, index) => {
      const offset = chunkOffset(MEMORY_REGION_BYTES, size, index);
      return new BytesManagedBuffer(this.memory.subarray(offset, offset + size));
    });
    const id = Buffer.alloc(8);
    id.writeBigInt64BE(BigInt(this.#opened.registerStream(null, chunksOf(chunks), channel)));
    return id;
  }

  override receiveStream(client: TransportClient, header: Uint8Array): StreamCallbackWithId {
    const meta = Buffer.from(header).toString();
    if (meta === "refuse") throw new TransportError("UNSUPPORTED", "asked to refuse");
    if (meta === "stop-reading") this.stopReading(client);
    this.uploadsBegun += 1;
    let at = 0;
    return {
      id: meta,
      onData: (_id, bytes) => {
        checkRegion(bytes, at);
        at += bytes.length;
        this.uploadedBytes += bytes.length;
        if (meta === "fail-in-data") throw new Error("asked to fail in data");
      },
      onComplete: () => {
        if (meta === "fail-at-end") throw new Error("asked to fail at end");
        this.uploadsCompleted += 1;
      },
      onFailure: () => void (this.uploadsFailed += 1),
    };
  }

  override receiveMergedBlockMetaRequest(
    client: TransportClient,
    request: MergedBlockMetaQuery,
    reply: MergedBlockMetaReplyCallback,
  ): void {
    const failure = { javaClass: "java.lang.IllegalStateException" };
    switch (request.reduceId) {
      case MetaCommand.default:
        return super.receiveMergedBlockMetaRequest(client, request, reply);
      case MetaCommand.fail:
        return reply.onFailure(new TransportError("UNSUPPORTED", "asked to fail", failure));
      case MetaCommand.throw:
        throw new TransportError("UNSUPPORTED", "asked to throw", failure);
      default:
        return reply.onSuccess(request.reduceId, Buffer.from(request.appId));
    }
  }

  override channelActive(client: TransportClient): void {
    this.connections.add(client);
  }

  override channelInactive(client: TransportClient): void {
    this.connections.delete(client);
  }
}
