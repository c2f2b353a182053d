/** Blocks whose bytes both ends can make: `shuffle_0_<map>_<size>`. */
import type { BlockId, ShuffleBlockId } from "@bm/block";
import { Crc32C } from "@bm/codec/checksum";
import { type BlockDataManager, type CorruptionCauseName, ShuffleError } from "@bm/shuffle";
import { BytesManagedBuffer, type ManagedBuffer, type StreamCallbackWithId } from "@bm/transport";
import { createSeededRandom } from "@bm/transport/testing";

/** Largest block there is. */
export const BLOCK_BYTES_MAX: number = 1024 * 1024;
/** Blocks of neighbouring maps begin that far from each other in the region. */
const STRIDE = 7919;
const MAPS = 64;

const region = makeRegion();

/** The bytes of a block: no two maps have the same, and no byte says where it stands. */
export function contentOf({ mapId, reduceId }: ShuffleBlockId): Buffer {
  const start = (Number(mapId) % MAPS) * STRIDE;
  return region.subarray(start, start + reduceId);
}

/**
 * What a writer would have put beside the block. Not Adler-32, which does not see four flips of the same
 * bit in even distances: two up and two down leave both of its sums as they were.
 */
export function checksumOf(blockId: ShuffleBlockId): number {
  return new Crc32C().update(contentOf(blockId)).value;
}

function makeRegion(): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES_MAX + MAPS * STRIDE);
  const random = createSeededRandom(0);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(random.below(2 ** 32), at);
  return bytes;
}

/** Serves made-up blocks, and counts those that nobody has released. */
export class MadeUpBlocks implements BlockDataManager {
  held = 0;
  /** How many times as long as a disk it takes; 0 for no time. */
  slowness = 0;

  async getLocalBlockData(blockId: BlockId): Promise<ManagedBuffer> {
    if (blockId.kind !== "shuffle") throw unwanted();
    if (this.slowness > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.slowness * diskMs()));
    }
    this.held += 1;
    return new CountedBuffer(contentOf(blockId), () => {
      this.held -= 1;
    });
  }

  putBlockData(): Promise<boolean> {
    return Promise.reject(unwanted());
  }

  putBlockDataAsStream(): StreamCallbackWithId {
    throw unwanted();
  }

  async diagnoseCorruption(
    blockId: ShuffleBlockId,
    checksum: bigint,
  ): Promise<CorruptionCauseName> {
    return checksum === BigInt(checksumOf(blockId)) ? "CHECKSUM_VERIFY_PASS" : "NETWORK_ISSUE";
  }
}

/** What a busy disk takes: mostly about 20 ms, with a tail. */
function diskMs(): number {
  return 5 + 10 * Math.random() - 8 * Math.log(1 - Math.random());
}

class CountedBuffer extends BytesManagedBuffer {
  #released: (() => void) | null;

  constructor(bytes: Uint8Array, released: () => void) {
    super(bytes);
    this.#released = released;
  }

  override release(): void {
    this.#released?.();
    this.#released = null;
  }
}

function unwanted(): ShuffleError {
  return new ShuffleError("BLOCK_NOT_FOUND", "only made-up shuffle blocks are here");
}
