import { type BlockId, tryParseBlockId } from "@bm/block";
import type { Files, Logger } from "@bm/transport";
import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";
import { pathOf } from "./external-shuffle-block-resolver.ts";
import type { LocalDirsGuard } from "./local-dirs-guard.ts";

/** What {@link removeBlocks} needs. */
export interface BlockRemover {
  readonly files: Files;
  readonly guard: LocalDirsGuard;
  readonly logger: Logger;
}

/** The kinds of file that executors leave behind for others. */
const REMOVABLE: ReadonlySet<BlockId["kind"]> = new Set([
  "rdd",
  "shuffleData",
  "shuffleIndex",
  "broadcast",
]);

/**
 * Deletes blocks of an executor and gives how many were there. Names that are no canonical name of a
 * block, and files that cannot be deleted, do not count. Never rejects.
 */
export async function removeBlocks(
  info: ExecutorShuffleInfo,
  names: readonly string[],
  remover: BlockRemover,
): Promise<number> {
  let count = 0;
  for (const name of names) {
    if (isRemovable(name) && (await removeFile(pathOf(info, name), info, remover))) count += 1;
  }
  return count;
}

function isRemovable(name: string): boolean {
  const blockId = tryParseBlockId(name);
  return blockId !== null && blockId.name === name && REMOVABLE.has(blockId.kind);
}

async function removeFile(
  path: string,
  info: ExecutorShuffleInfo,
  { files, guard, logger }: BlockRemover,
): Promise<boolean> {
  try {
    if ((await files.stat(path))?.isFile !== true) return false;
    await guard.checkRead(path, info.localDirs);
    return await files.remove(path);
  } catch (error) {
    logger.warn(`deleting ${path}: ${String(error)}`);
    return false;
  }
}
