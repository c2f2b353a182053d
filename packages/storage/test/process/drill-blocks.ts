import { type RddBlockId, rddBlockId } from "@bm/block";

/** A block of an executor that is put with a copy. */
export function copiedId(executor: number, index: number): RddBlockId {
  return rddBlockId(executor, index);
}

/** A block of an executor that is put without one. */
export function aloneId(executor: number, index: number): RddBlockId {
  return rddBlockId(10 + executor, index);
}

/** What the block must hold, whoever gives it: no two blocks have a byte sequence in common. */
export function contentOf({ name, splitIndex }: RddBlockId): Buffer {
  return Buffer.alloc(1000 + (splitIndex % 7) * 20_000, `${name}|`);
}
