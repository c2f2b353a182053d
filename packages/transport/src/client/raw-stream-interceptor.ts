import type { StreamInterceptor } from "../codec/frame-decoder.ts";
import { TransportError } from "../transport-error.ts";

/** What a raw stream reports to: a StreamCallback, or the serving side's wrapper around one. */
export interface RawStreamReceiver {
  onData(streamId: string, bytes: Uint8Array): void;
  onComplete(streamId: string): void;
  onFailure(streamId: string, error: Error): void;
}

/** Feeds exactly `byteCount` raw bytes to a receiver, then gives the connection back to framing. */
export class RawStreamInterceptor implements StreamInterceptor {
  readonly #streamId: string;
  readonly #receiver: RawStreamReceiver;
  readonly #onEnd: () => void;
  #missingBytes: number;
  #isEnded = false;

  /** `onEnd` is called once, before the receiver hears of the end. */
  constructor(
    streamId: string,
    byteCount: number,
    receiver: RawStreamReceiver,
    onEnd: () => void = () => {},
  ) {
    this.#streamId = streamId;
    this.#missingBytes = byteCount;
    this.#receiver = receiver;
    this.#onEnd = onEnd;
  }

  get isDone(): boolean {
    return this.#isEnded;
  }

  take(bytes: Uint8Array): number {
    const piece = bytes.subarray(0, this.#missingBytes);
    this.#missingBytes -= piece.length;
    this.#receiver.onData(this.#streamId, piece);
    if (this.#missingBytes === 0) {
      this.#end();
      this.#receiver.onComplete(this.#streamId);
    }
    return piece.length;
  }

  exceptionCaught(error: Error): void {
    if (this.#end()) this.#receiver.onFailure(this.#streamId, error);
  }

  channelInactive(): void {
    const text = `the connection closed with ${this.#missingBytes} bytes of the stream missing`;
    this.exceptionCaught(
      new TransportError("FRAME_TRUNCATED", text, {
        javaClass: "java.nio.channels.ClosedChannelException",
      }),
    );
  }

  /** True the first time. */
  #end(): boolean {
    if (this.#isEnded) return false;
    this.#isEnded = true;
    this.#onEnd();
    return true;
  }
}
