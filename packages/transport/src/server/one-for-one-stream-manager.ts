/**
 * Streams whose chunks are asked for one after the other, each once.
 *
 * A stream belongs to the channel that it was registered for and is dropped with it. It is removed
 * as soon as its last chunk is handed out, so a second request for that one finds it closed.
 */
import type { ManagedBuffer } from "../buffer/managed-buffer.ts";
import type { Channel } from "../channel/channel.ts";
import type { TransportClient } from "../client/transport-client.ts";
import { type BodyLookup, StreamManager } from "../handler/stream-manager.ts";
import type { Random } from "../platform/platform.ts";
import type { Int64 } from "../protocol/int64.ts";
import { TransportError } from "../transport-error.ts";

/** The chunks of one stream, found when they are asked for. */
export interface ChunkSource {
  readonly count: number;
  /** Hands over chunk `index`. Called at most once per index, in ascending order. */
  open(index: number): BodyLookup;
  /** Gives up the chunks from `index` on, which nobody will ask for any more. */
  release?(index: number): void;
}

interface StreamState {
  readonly appId: string | null;
  readonly channel: Channel;
  readonly chunks: ChunkSource;
  nextIndex: number;
}

/** First stream ids are a multiple of this, so that ids of restarted servers rarely coincide. */
const FIRST_ID_STEP = 1000;
const FIRST_ID_BOUND = 0x7fff_ffff;

/** See the file comment. */
export class OneForOneStreamManager extends StreamManager {
  readonly #streams = new Map<Int64, StreamState>();
  readonly #idsByChannel = new Map<Channel, Set<number>>();
  #nextStreamId: number;
  #beingSent = 0;

  constructor(random: Random) {
    super();
    this.#nextStreamId = random.below(FIRST_ID_BOUND) * FIRST_ID_STEP;
  }

  /** Streams that still have chunks to hand out. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /**
   * Takes over `chunks` and gives the id to ask for them with. Release follows when the channel ends.
   * `appId` is the authenticated application that may read them; null for anybody.
   */
  registerStream(appId: string | null, chunks: ChunkSource, channel: Channel): number {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 1;
    if (chunks.count === 0) return streamId;
    this.#streams.set(streamId, { appId, channel, chunks, nextIndex: 0 });
    const ids = this.#idsByChannel.get(channel);
    if (ids === undefined) this.#idsByChannel.set(channel, new Set([streamId]));
    else ids.add(streamId);
    return streamId;
  }

  override getChunk(streamId: Int64, chunkIndex: number): BodyLookup {
    const state = this.#streams.get(streamId);
    if (state === undefined) {
      const text = `Requested chunk not available since streamId ${streamId} is closed`;
      throw new TransportError("STREAM_UNKNOWN", text);
    }
    if (chunkIndex !== state.nextIndex) {
      const text = `Received out-of-order chunk index ${chunkIndex} (expected ${state.nextIndex})`;
      throw new TransportError("STREAM_OUT_OF_ORDER", text);
    }
    state.nextIndex += 1;
    if (state.nextIndex === state.chunks.count) this.#forget(streamId, state);
    return state.chunks.open(chunkIndex);
  }

  /** Streams by name are chunks under the name `<streamId>_<chunkIndex>`. */
  override openStream(name: string): BodyLookup {
    const { streamId, chunkIndex } = parseStreamChunkId(name);
    return this.getChunk(streamId, chunkIndex);
  }

  override checkAuthorization(client: TransportClient, streamId: Int64): void {
    if (client.clientId === null) return;
    const state = this.#streams.get(streamId);
    if (state === undefined) {
      throw new TransportError("STREAM_UNKNOWN", "Unknown stream ID.", {
        javaClass: "java.lang.IllegalArgumentException",
      });
    }
    if (state.appId !== client.clientId) {
      const text = `Client ${client.clientId} not authorized to read stream ${streamId} (app ${state.appId}).`;
      throw new TransportError("STREAM_NOT_AUTHORIZED", text);
    }
  }

  override checkStreamAuthorization(client: TransportClient, name: string): void {
    this.checkAuthorization(client, parseStreamChunkId(name).streamId);
  }

  override connectionTerminated(channel: Channel): void {
    const failures: unknown[] = [];
    for (const streamId of this.#idsByChannel.get(channel) ?? []) {
      const state = this.#streams.get(streamId);
      this.#streams.delete(streamId);
      try {
        state?.chunks.release?.(state.nextIndex);
      } catch (error) {
        failures.push(error);
      }
    }
    this.#idsByChannel.delete(channel);
    if (failures.length > 0) throw new AggregateError(failures, "releasing chunks failed");
  }

  override chunksBeingTransferred(): number {
    return this.#beingSent;
  }

  override chunkBeingSent(): void {
    this.#beingSent += 1;
  }

  override chunkSent(): void {
    this.#beingSent -= 1;
  }

  override streamBeingSent(): void {
    this.#beingSent += 1;
  }

  override streamSent(): void {
    this.#beingSent -= 1;
  }

  #forget(streamId: Int64, state: StreamState): void {
    this.#streams.delete(streamId);
    const ids = this.#idsByChannel.get(state.channel);
    ids?.delete(streamId as number);
    if (ids?.size === 0) this.#idsByChannel.delete(state.channel);
  }
}

/** A chunk source over buffers that exist already. */
export function chunksOf(buffers: readonly ManagedBuffer[]): ChunkSource {
  return {
    count: buffers.length,
    open: (index) => buffers[index] ?? null,
    release: (index) => {
      for (const buffer of buffers.slice(index)) buffer.release();
    },
  };
}

const INT64_TEXT = /^[+-]?\d{1,19}$/;

/**
 * The parts of `<streamId>_<chunkIndex>`. Further parts are ignored, as Spark does.
 * @throws TransportError STREAM_UNKNOWN.
 */
export function parseStreamChunkId(name: string): { streamId: Int64; chunkIndex: number } {
  const [streamText = "", indexText = ""] = name.split("_");
  if (!INT64_TEXT.test(streamText) || !INT64_TEXT.test(indexText)) {
    throw new TransportError("STREAM_UNKNOWN", `For input string: "${name}"`, {
      javaClass: "java.lang.NumberFormatException",
    });
  }
  const streamId = BigInt(streamText.replace("+", ""));
  const isSafe = Number.isSafeInteger(Number(streamId));
  return { streamId: isSafe ? Number(streamId) : streamId, chunkIndex: Number(indexText) };
}
