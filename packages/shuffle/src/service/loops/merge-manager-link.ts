/** In a loop that is not the owner: merged files are the owner's, and it is asked for them. */
import type {
  Files,
  LoopLine,
  ManagedBuffer,
  MergedBlockMetaQuery,
  StreamCallbackWithId,
} from "@bm/transport";
import type {
  CorruptionCauseName,
  ExecutorShuffleInfo,
  FinalizeShuffleMerge,
  MergeStatuses,
  PushBlockStream,
  RemoveShuffleMerge,
} from "../../protocol/block-transfer-message.ts";
import type { ReaderChecksum } from "../merge/diagnose-merged-chunk.ts";
import type {
  MergedBlockMetaAnswer,
  MergedChunkQuery,
  MergedShuffleFileManager,
} from "../merge/merged-shuffle-file-manager.ts";
import type { Flow } from "../merge/pushed-block.ts";
import { bodyOfFields } from "./body-fields.ts";
import { ForwardedPush } from "./forwarded-push.ts";
import type { BodyFields, MergedMetaFields, OwnerQuestion, PushReply } from "./loop-messages.ts";

/** See the file comment. */
export class MergeManagerLink implements MergedShuffleFileManager {
  readonly #line: LoopLine;
  readonly #files: Files;
  readonly #pushes = new Map<number, ForwardedPush>();
  #nextPush = 0;

  constructor(line: LoopLine, files: Files) {
    this.#line = line;
    this.#files = files;
  }

  /** What the owner says of a push. */
  hear(news: PushReply): void {
    this.#pushes.get(news.push)?.hear(news);
  }

  async registerExecutor(appId: string, info: ExecutorShuffleInfo): Promise<void> {
    await this.#ask({ type: "mergeRegister", appId, info });
  }

  receiveBlock(message: PushBlockStream, flow: Flow): StreamCallbackWithId {
    const number = this.#nextPush;
    this.#nextPush += 1;
    const onEnd = (): void => void this.#pushes.delete(number);
    const push = new ForwardedPush({ line: this.#line, number, message, flow, onEnd });
    this.#pushes.set(number, push);
    return push;
  }

  async finalizeShuffleMerge(message: FinalizeShuffleMerge): Promise<MergeStatuses> {
    return (await this.#ask({ type: "mergeFinalize", message })) as MergeStatuses;
  }

  async removeShuffleMerge(message: RemoveShuffleMerge): Promise<void> {
    await this.#ask({ type: "mergeRemove", message });
  }

  async mergedBlockMeta(query: MergedBlockMetaQuery): Promise<MergedBlockMetaAnswer> {
    const answer = (await this.#ask({ type: "mergedMeta", query })) as MergedMetaFields;
    return { ...answer, bitmaps: bodyOfFields(answer.bitmaps, this.#files) };
  }

  async mergedBlockData(query: MergedChunkQuery): Promise<ManagedBuffer> {
    const answer = (await this.#ask({ type: "mergedChunk", query })) as BodyFields;
    return bodyOfFields(answer, this.#files);
  }

  async diagnoseMergedChunk(
    query: MergedChunkQuery,
    reader: ReaderChecksum,
  ): Promise<CorruptionCauseName> {
    return (await this.#ask({ type: "mergedDiagnosis", query, reader })) as CorruptionCauseName;
  }

  async mergedBlockDirs(appId: string): Promise<readonly string[]> {
    return (await this.#ask({ type: "mergeDirs", appId })) as readonly string[];
  }

  /** Only the owner hears of that. */
  applicationRemoved(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #ask(question: OwnerQuestion): Promise<unknown> {
    return this.#line.ask(question);
  }
}
