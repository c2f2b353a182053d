/** Questions that a shuffle service and an executor's block server answer alike. */
import type { Logger, RequestOptions, TransportClient } from "@bm/transport";
import type {
  CorruptionCauseName,
  DiagnoseCorruption,
} from "../protocol/block-transfer-message.ts";
import { ask } from "./ask.ts";

/** A block that arrived corrupt, and what its reader computed. */
export type CorruptBlock = Omit<DiagnoseCorruption, "type" | "appId">;

/** How long a diagnosis may take when nothing else is said. */
const DIAGNOSIS_TIMEOUT_MS = 120_000;

/**
 * Local directories by executor, in the order in which they place files.
 * @throws ShuffleError ANSWER_INVALID when one of the executors is missing in the answer, and as
 *   `ask` (rejects).
 */
export async function askLocalDirs(
  client: TransportClient,
  appId: string,
  execIds: readonly string[],
  options: RequestOptions,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const message = { type: "GetLocalDirsForExecutors", appId, execIds } as const;
  const { localDirsByExec } = await ask(client, message, "LocalDirsForExecutors", options);
  return localDirsByExec;
}

/** Why a block arrived corrupt. Never rejects: UNKNOWN_ISSUE when the peer cannot say. */
export async function askDiagnosis(
  connect: () => Promise<TransportClient>,
  appId: string,
  block: CorruptBlock,
  logger: Logger,
  options: RequestOptions,
): Promise<CorruptionCauseName> {
  try {
    const message = { type: "DiagnoseCorruption", appId, ...block } as const;
    const timeoutMs = options.timeoutMs ?? DIAGNOSIS_TIMEOUT_MS;
    const limits = { ...options, timeoutMs };
    return (await ask(await connect(), message, "CorruptionCause", limits)).cause;
  } catch (error) {
    const { execId, mapId, reduceId, shuffleId } = block;
    const name = `shuffle_${shuffleId}_${mapId}_${reduceId}`;
    logger.warn(`no diagnosis of ${name} of executor ${execId}: ${String(error)}`);
    return "UNKNOWN_ISSUE";
  }
}
