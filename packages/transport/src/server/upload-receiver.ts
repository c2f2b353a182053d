import type { Channel } from "../channel/channel.ts";
import type { RawStreamReceiver } from "../client/raw-stream-interceptor.ts";
import type { RpcReplyCallback, StreamCallbackWithId } from "../handler/callbacks.ts";
import { TransportError } from "../transport-error.ts";
import { failureTextWithCause } from "./failure-text.ts";

const IO_EXCEPTION = "java.io.IOException";

/** Feeds an upload to its receiver and answers it: after the last byte, or when the receiver fails. */
export class UploadReceiver implements RawStreamReceiver {
  readonly #receiver: StreamCallbackWithId;
  readonly #reply: RpcReplyCallback;
  readonly #channel: Channel;

  constructor(receiver: StreamCallbackWithId, reply: RpcReplyCallback, channel: Channel) {
    this.#receiver = receiver;
    this.#reply = reply;
    this.#channel = channel;
  }

  /** A throw goes on to the frame decoder, which ends the stream and the channel. */
  onData(_streamId: string, bytes: Uint8Array): void {
    try {
      const pending = this.#receiver.onData(this.#receiver.id, bytes);
      if (pending !== undefined) void this.#holdUp(pending);
    } catch (error) {
      throw this.#refuse(error as Error);
    }
  }

  /** The sender waits in its own queue while the receiver is busy. Never rejects. */
  async #holdUp(pending: Promise<void>): Promise<void> {
    this.#channel.pauseReading();
    try {
      await pending;
    } catch (error) {
      this.#refuse(error as Error);
      // Not an abort: the answer that says why is on its way.
      void this.#channel.close();
    }
    this.#channel.resumeReading();
  }

  #refuse(cause: Error): Error {
    this.#reply.onFailure(wrapped("Destination failed while reading stream", cause));
    return cause;
  }

  onComplete(): void {
    void this.#complete();
  }

  onFailure(_streamId: string, error: Error): void {
    this.#receiver.onFailure(this.#receiver.id, error);
    this.#reply.onFailure(error);
  }

  /** Never rejects. */
  async #complete(): Promise<void> {
    try {
      await this.#receiver.onComplete(this.#receiver.id);
      this.#reply.onSuccess(this.#receiver.completionResponse?.() ?? new Uint8Array(0));
    } catch (error) {
      this.#failAfterLastByte(error as Error);
    }
  }

  #failAfterLastByte(cause: Error): void {
    const text =
      "Failure post-processing complete stream; failing this rpc and leaving channel active";
    this.#reply.onFailure("responseBody" in cause ? cause : wrapped(text, cause));
    try {
      this.#receiver.onFailure(this.#receiver.id, cause);
    } catch {
      // It was told; what it makes of that is its own affair.
    }
  }
}

function wrapped(message: string, cause: Error): TransportError {
  const [javaClass, text] = splitAtColon(failureTextWithCause(IO_EXCEPTION, message, cause));
  return new TransportError("REMOTE_FAILURE", text.trimEnd(), { javaClass, cause });
}

function splitAtColon(text: string): [string, string] {
  const colon = text.indexOf(": ");
  return [text.slice(0, colon), text.slice(colon + 2)];
}
