import type { ManagedBuffer } from "../../src/buffer/managed-buffer.ts";

/** Reads a body as a sender does: asks for the next piece while the previous one is still in use. */
export async function readOverlapped(body: ManagedBuffer): Promise<Buffer> {
  const reader = await body.open();
  const copies: Buffer[] = [];
  try {
    let inUse = await reader.next();
    while (inUse !== null) {
      const isValidBeyondNext = !reader.isInMemory;
      if (!isValidBeyondNext) copies.push(Buffer.from(inUse));
      const following = await reader.next();
      // Still valid: the second following call was not made yet.
      if (isValidBeyondNext) copies.push(Buffer.from(inUse));
      inUse = following;
    }
  } finally {
    await reader.close();
  }
  return Buffer.concat(copies);
}

export function pattern(length: number, seed = 99): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
