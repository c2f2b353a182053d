/** A pushed block that arrives in one event loop and is merged in another. */
import { type LoopLine, type StreamCallbackWithId } from "@bm/transport";
import type { PushBlockStream } from "../../protocol/block-transfer-message.ts";
import type { Flow } from "../merge/pushed-block.ts";
import type { OwnerNews, OwnerQuestion, PushReply } from "./loop-messages.ts";

/** Options of {@link ForwardedPush}. */
export interface ForwardedPushOptions {
  readonly line: LoopLine;
  /** Names the push between the two loops. */
  readonly number: number;
  readonly message: PushBlockStream;
  readonly flow: Flow;
  /** Called once. */
  readonly onEnd: () => void;
}

/** Bytes on their way to the owner above which a connection has to wait. */
const ON_THEIR_WAY_MAX = 4 * 1024 * 1024;

/** See the file comment. What the owner refuses is said after the last byte. */
export class ForwardedPush implements StreamCallbackWithId {
  readonly id: string;
  readonly #options: ForwardedPushOptions;
  #onTheirWay = 0;
  /** Reasons to hold the connection back: too much on its way, and the owner's disk. */
  #isFull = false;
  #isHeldByOwner = false;
  #answer: Uint8Array = new Uint8Array(0);

  constructor(options: ForwardedPushOptions) {
    this.#options = options;
    const { message, number } = options;
    const { mapIndex, reduceId, shuffleId, shuffleMergeId } = message;
    this.id = `shufflePush_${shuffleId}_${shuffleMergeId}_${mapIndex}_${reduceId}`;
    this.#tell({ type: "push", push: number, message });
  }

  hear(news: PushReply): void {
    if (news.type === "pushTaken") {
      this.#onTheirWay -= news.bytes;
      this.#setFull(this.#onTheirWay > ON_THEIR_WAY_MAX);
    } else this.#setHeldByOwner(news.type === "pushPaused");
  }

  onData(_streamId: string, bytes: Uint8Array): void {
    const { line, number } = this.#options;
    // A copy of its own, so that it can be moved.
    const copy = new Uint8Array(bytes);
    line.post({ type: "pushBytes", push: number, bytes: copy } satisfies OwnerNews, [copy.buffer]);
    this.#onTheirWay += bytes.length;
    this.#setFull(this.#onTheirWay > ON_THEIR_WAY_MAX);
  }

  async onComplete(): Promise<void> {
    const { line, number } = this.#options;
    try {
      const question: OwnerQuestion = { type: "pushComplete", push: number };
      this.#answer = (await line.ask(question)) as Uint8Array;
    } finally {
      this.#end();
    }
  }

  onFailure(_streamId: string, error: Error): void {
    this.#tell({ type: "pushFailed", push: this.#options.number, text: error.message });
    this.#end();
  }

  completionResponse(): Uint8Array {
    return this.#answer;
  }

  #setFull(isFull: boolean): void {
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#turn(isFull);
  }

  #setHeldByOwner(isHeld: boolean): void {
    if (isHeld === this.#isHeldByOwner) return;
    this.#isHeldByOwner = isHeld;
    this.#turn(isHeld);
  }

  #turn(isHeld: boolean): void {
    const { flow } = this.#options;
    if (isHeld) flow.pauseReading();
    else flow.resumeReading();
  }

  #end(): void {
    this.#setFull(false);
    this.#setHeldByOwner(false);
    this.#options.onEnd();
  }

  #tell(news: OwnerNews): void {
    this.#options.line.post(news);
  }
}
