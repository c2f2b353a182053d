import type { RequestOptions, TransportClient } from "@bm/transport";
import type {
  BlockTransferMessage,
  BlockTransferMessageName,
} from "../protocol/block-transfer-message.ts";
import { decodeBlockTransferMessage } from "../protocol/decode-message.ts";
import { encodeBlockTransferMessage } from "../protocol/encode-message.ts";
import { ShuffleError } from "../shuffle-error.ts";

/**
 * Sends a request and gives the answer, which must be a message of the type that is due.
 * @throws ShuffleError ANSWER_INVALID, MESSAGE_UNKNOWN, MESSAGE_MALFORMED; TransportError as for
 *   `TransportClient.sendRpc` (rejects).
 */
export async function ask<Name extends BlockTransferMessageName>(
  client: TransportClient,
  message: BlockTransferMessage,
  due: Name,
  options: RequestOptions = {},
): Promise<Extract<BlockTransferMessage, { readonly type: Name }>> {
  const response = await client.sendRpc(encodeBlockTransferMessage(message), options);
  return readAnswer(response, due);
}

/** Decodes an answer. @throws ShuffleError ANSWER_INVALID, MESSAGE_UNKNOWN, MESSAGE_MALFORMED. */
export function readAnswer<Name extends BlockTransferMessageName>(
  response: Uint8Array,
  due: Name,
): Extract<BlockTransferMessage, { readonly type: Name }> {
  const answer = decodeBlockTransferMessage(response);
  if (isOf(answer, due)) return answer;
  throw new ShuffleError("ANSWER_INVALID", `${answer.type} instead of ${due}`);
}

function isOf<Name extends BlockTransferMessageName>(
  message: BlockTransferMessage,
  type: Name,
): message is Extract<BlockTransferMessage, { readonly type: Name }> {
  return message.type === type;
}
