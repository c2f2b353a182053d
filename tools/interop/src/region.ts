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

/** What a stream id asks for. */
export const RegionKind = { memory: 1, file: 2, missingFile: 3, nothing: 4 } as const;

/** The stream id of chunks of `size` bytes. */
export function streamIdOf(kind: keyof typeof RegionKind, size: number): number {
  return RegionKind[kind] * KIND_STEP + size;
}

/** The two halves of a stream id. */
export function splitStreamId(streamId: number): { kind: number; size: number } {
  return { kind: Math.floor(streamId / KIND_STEP), size: streamId % KIND_STEP };
}
