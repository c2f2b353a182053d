import type { StreamCallbackWithId } from "@bm/transport";
import type { BlockPushReturnCodeName } from "../../protocol/block-transfer-message.ts";
import { encodeBlockTransferMessage } from "../../protocol/encode-message.ts";
import type { ShuffleServiceMetrics } from "../metrics/shuffle-service-metrics.ts";

/**
 * Lets the bytes of a block pass that is not wanted, and answers with the reason: the framing of its
 * connection must not be lost.
 */
export class RefusedPush implements StreamCallbackWithId {
  readonly id: string;
  readonly #code: BlockPushReturnCodeName;
  readonly #metrics: ShuffleServiceMetrics;

  /** `code` SUCCESS is for a block that is merged already. */
  constructor(id: string, code: BlockPushReturnCodeName, metrics: ShuffleServiceMetrics) {
    this.id = id;
    this.#code = code;
    this.#metrics = metrics;
    metrics.lateBlockPushes.mark();
    if (code === "STALE_BLOCK_PUSH") metrics.staleBlockPushes.mark();
  }

  onData(_streamId: string, bytes: Uint8Array): void {
    this.#metrics.ignoredBlockBytes.mark(bytes.length);
  }

  onComplete(): void {}

  onFailure(): void {}

  completionResponse(): Uint8Array {
    const returnCode = this.#code;
    const failureBlockId = returnCode === "SUCCESS" ? "" : this.id;
    return encodeBlockTransferMessage({ type: "BlockPushReturnCode", returnCode, failureBlockId });
  }
}
