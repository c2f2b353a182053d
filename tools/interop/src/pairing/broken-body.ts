import { StreamManagedBuffer } from "@bm/transport";

/** A body of `size` bytes that gives `start` and then fails. */
export function brokenBody(start: Uint8Array, size: number): StreamManagedBuffer {
  return new StreamManagedBuffer({ size, open: () => thenFail(start) });
}

async function* thenFail(start: Uint8Array): AsyncGenerator<Uint8Array> {
  yield start;
  throw new Error("asked to break");
}
