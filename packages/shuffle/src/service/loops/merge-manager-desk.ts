/** At the owner: does with merged files what another loop asks for. One desk for each loop. */
import type { LoopLine, StreamCallbackWithId } from "@bm/transport";
import type { MergedShuffleFileManager } from "../merge/merged-shuffle-file-manager.ts";
import { fieldsOfBody } from "./body-fields.ts";
import type { MergedMetaFields, OwnerQuestion, PushNews, PushReply } from "./loop-messages.ts";

type MergeQuestion = Exclude<OwnerQuestion, { type: "follow" | "write" }>;

interface Push {
  /** Null when the push was refused. */
  readonly receiver: StreamCallbackWithId | null;
  /** Why the push is refused, or what went wrong while it was received. */
  failure: unknown;
}

/** See the file comment. */
export class MergeManagerDesk {
  readonly #manager: MergedShuffleFileManager;
  readonly #line: LoopLine;
  readonly #pushes = new Map<number, Push>();

  constructor(manager: MergedShuffleFileManager, line: LoopLine) {
    this.#manager = manager;
    this.#line = line;
  }

  hear(news: PushNews): void {
    if (news.type === "push") this.#begin(news);
    else if (news.type === "pushBytes") void this.#take(news.push, news.bytes);
    else this.#giveUp(news.push, new Error(news.text));
  }

  /** @throws what the manager of merged files throws (rejects). */
  answer(question: MergeQuestion): unknown {
    switch (question.type) {
      case "mergeRegister":
        return this.#manager.registerExecutor(question.appId, question.info);
      case "mergeFinalize":
        return this.#manager.finalizeShuffleMerge(question.message);
      case "mergeRemove":
        return this.#manager.removeShuffleMerge(question.message);
      case "mergedMeta":
        return this.#meta(question.query);
      case "mergedChunk":
        return this.#manager.mergedBlockData(question.query).then(fieldsOfBody);
      case "mergedDiagnosis":
        return this.#manager.diagnoseMergedChunk(question.query, question.reader);
      case "mergeDirs":
        return this.#manager.mergedBlockDirs(question.appId);
      case "pushComplete":
        return this.#complete(question.push);
    }
  }

  /** The loop is gone, and with it the pushes that it received. */
  close(): void {
    for (const push of this.#pushes.keys()) this.#giveUp(push, new Error("the event loop is gone"));
  }

  async #meta(
    query: Extract<OwnerQuestion, { type: "mergedMeta" }>["query"],
  ): Promise<MergedMetaFields> {
    const { bitmaps, numChunks } = await this.#manager.mergedBlockMeta(query);
    return { numChunks, bitmaps: await fieldsOfBody(bitmaps) };
  }

  #begin({ message, push }: Extract<PushNews, { type: "push" }>): void {
    const flow = {
      pauseReading: () => this.#tell({ type: "pushPaused", push }),
      resumeReading: () => this.#tell({ type: "pushResumed", push }),
    };
    try {
      const receiver = this.#manager.receiveBlock(message, flow);
      this.#pushes.set(push, { receiver, failure: null });
    } catch (failure) {
      this.#pushes.set(push, { receiver: null, failure });
    }
  }

  /** What a push brings after its failure is let pass: the failure is the answer to its end. */
  async #take(number: number, bytes: Uint8Array): Promise<void> {
    const push = this.#pushes.get(number);
    try {
      if (push?.failure === null) await push.receiver?.onData(push.receiver.id, bytes);
    } catch (error) {
      if (push !== undefined) push.failure = error;
    }
    this.#tell({ type: "pushTaken", push: number, bytes: bytes.length });
  }

  async #complete(number: number): Promise<Uint8Array> {
    const push = this.#pushes.get(number);
    this.#pushes.delete(number);
    const receiver = push?.receiver ?? null;
    try {
      if (push === undefined || receiver === null || push.failure !== null) throw push?.failure;
      await receiver.onComplete(receiver.id);
      return receiver.completionResponse?.() ?? new Uint8Array(0);
    } catch (error) {
      receiver?.onFailure(receiver.id, error as Error);
      throw error;
    }
  }

  #giveUp(number: number, error: Error): void {
    const receiver = this.#pushes.get(number)?.receiver;
    this.#pushes.delete(number);
    receiver?.onFailure(receiver.id, error);
  }

  #tell(news: PushReply): void {
    this.#line.post(news);
  }
}
