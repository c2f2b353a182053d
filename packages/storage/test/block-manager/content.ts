import type { ManagedBuffer } from "@bm/transport";

/** The text of a block, which is released; null for none. */
export async function textOf(block: Promise<ManagedBuffer | null>): Promise<string | null> {
  const buffer = await block;
  if (buffer === null) return null;
  try {
    return Buffer.from(await buffer.bytes()).toString();
  } finally {
    buffer.release();
  }
}
