/** The bytes that every peer serves: position p holds the low eight bits of p ^ p>>>8 ^ p>>>16. */

export const MEMORY_REGION_BYTES: number = 64 * 1024 * 1024;
export const FILE_REGION_BYTES: number = 256 * 1024 * 1024;

/** The first `length` bytes of the region. */
export function regionBytes(length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let position = 0; position < length; position += 1) {
    bytes[position] = position ^ (position >>> 8) ^ (position >>> 16);
  }
  return bytes;
}

/** Where chunk `index` of chunks of `size` bytes begins. */
export function chunkOffset(regionSize: number, size: number, index: number): number {
  const slots = Math.max(1, Math.floor(regionSize / Math.max(1, size)));
  return (index % slots) * size;
}

const KIND_STEP = 2 ** 40;

/** What a stream id asks for: a slice of a region, or something that goes wrong. */
export const RegionKind = {
  memory: 1,
  file: 2,
  /** No such file. */
  missing: 3,
  /** No such chunk. */
  nothing: 4,
  /** A segment whose second half lies behind the end of the file. */
  short: 5,
  /** Fails after half of its bytes. */
  broken: 6,
  /** Fails when it is looked up. */
  failing: 7,
} as const;

/** The stream id of chunks of `size` bytes. */
export function streamIdOf(kind: keyof typeof RegionKind, size: number): number {
  return RegionKind[kind] * KIND_STEP + size;
}

/** The two halves of a stream id. */
export function splitStreamId(streamId: number): { kind: number; size: number } {
  return { kind: Math.floor(streamId / KIND_STEP), size: streamId % KIND_STEP };
}
