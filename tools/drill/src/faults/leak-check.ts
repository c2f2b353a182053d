/**
 * Counts the chunks that readers have kept and nobody has released.
 *
 * Only the client knows of chunks that never reach a listener (an answer that came too late, a fetch
 * that was given up), so the check sits on the client class itself: what `keep()` of a chunk gives is
 * held until its `release()`.
 */
import {
  type BytesManagedBuffer,
  type ChunkReceivedCallback,
  type Int64,
  TransportClient,
} from "@bm/transport";

const { prototype } = TransportClient;
// oxlint-disable-next-line typescript/unbound-method -- always called with a client
const { fetchChunkWith } = prototype;

/** See the file comment. One at a time; on from its making until `stop`. */
export class LeakCheck {
  /** With the stack that kept it. */
  readonly #held = new Map<BytesManagedBuffer, string>();

  constructor() {
    const watch = (buffer: BytesManagedBuffer): void => this.#watch(buffer);
    prototype.fetchChunkWith = function (
      this: TransportClient,
      streamId: Int64,
      chunkIndex: number,
      callback: ChunkReceivedCallback,
    ) {
      fetchChunkWith.call(this, streamId, chunkIndex, {
        onFailure: callback.onFailure.bind(callback),
        onSuccess: (index, buffer) => {
          watch(buffer);
          callback.onSuccess(index, buffer);
        },
      });
    };
  }

  /** Chunks that nobody has released. */
  get held(): number {
    return this.#held.size;
  }

  /** Where they were kept, for people. */
  get stacks(): string[] {
    return [...new Set(this.#held.values())];
  }

  /** Off; what is held is forgotten. */
  stop(): void {
    prototype.fetchChunkWith = fetchChunkWith;
    this.#held.clear();
  }

  #watch(lent: BytesManagedBuffer): void {
    lent.keep = () => {
      Reflect.deleteProperty(lent, "keep");
      const kept = lent.keep();
      this.#held.set(kept, new Error("kept").stack ?? "");
      kept.release = () => this.#held.delete(kept);
      return kept;
    };
  }
}
