import { StorageLevel } from "../storage-level/storage-level.ts";

/** What one block manager holds of one block. */
export interface BlockStatus {
  /** The level in effect: a block that was dropped from memory has `useMemory` false here. */
  readonly storageLevel: StorageLevel;
  /** Bytes in memory. */
  readonly memSize: number;
  /** Bytes on disk, without encryption overhead. */
  readonly diskSize: number;
}

/** The status of a block that is held nowhere. */
export const EMPTY_BLOCK_STATUS: BlockStatus = Object.freeze({
  storageLevel: StorageLevel.NONE,
  memSize: 0,
  diskSize: 0,
});

/** Whether any byte of the block is held. */
export function isCached(status: BlockStatus): boolean {
  return status.memSize + status.diskSize > 0;
}
