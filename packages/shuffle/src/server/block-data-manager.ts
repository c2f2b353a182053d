import type { BlockId, ShuffleBlockId, StorageLevel } from "@bm/block";
import type { ManagedBuffer, StreamCallbackWithId } from "@bm/transport";
import type { CorruptionCauseName } from "../protocol/block-transfer-message.ts";

/** Where a block server finds the blocks that it serves, and puts those that are brought to it. */
export interface BlockDataManager {
  /**
   * Hands over the bytes of a block that is here; whoever gets them releases them.
   * @throws (or rejects with) an error for this block alone, ShuffleError BLOCK_NOT_FOUND when it is
   *   not here.
   */
  getLocalBlockData(blockId: BlockId): ManagedBuffer | Promise<ManagedBuffer>;

  /**
   * Takes over `data` and stores it. False when it was not kept, mostly for want of space.
   * `classTag` is what the sender says of the objects inside, in Java's serialised form; most
   * managers store bytes and have no use for it.
   */
  putBlockData(
    blockId: BlockId,
    data: ManagedBuffer,
    level: StorageLevel,
    classTag?: Uint8Array,
  ): Promise<boolean>;

  /**
   * Receives a block of any size as a stream. The answer goes out when `onComplete` of the result
   * has settled; its rejection tells the sender that the block was not kept.
   */
  putBlockDataAsStream(
    blockId: BlockId,
    level: StorageLevel,
    classTag?: Uint8Array,
  ): StreamCallbackWithId;

  /**
   * Where this executor writes its shuffle files, in the order in which the directories place them;
   * others on the same host read them there. Absent where they must not.
   */
  getLocalDirs?(): readonly string[];

  /**
   * Why a partition arrived corrupt, given what its reader computed: an unsigned 32-bit checksum by
   * `ADLER32`, `CRC32`, `CRC32C` or a name that is not known. Absent where nobody can say.
   */
  diagnoseCorruption?(
    blockId: ShuffleBlockId,
    checksum: bigint,
    algorithm: string,
  ): Promise<CorruptionCauseName>;
}
