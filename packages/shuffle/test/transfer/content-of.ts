/** The bytes of a made-up block: as many as its reduce id says, all of one value that its map gives. */
export function contentOf({
  mapId,
  reduceId,
}: {
  readonly mapId: bigint;
  readonly reduceId: number;
}): Buffer {
  return Buffer.alloc(reduceId, Number(mapId % 251n) + 1);
}
