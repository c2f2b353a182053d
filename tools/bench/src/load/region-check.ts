const SAMPLES = 16;

/** The byte of every region at `position`. */
export function regionByte(position: number): number {
  return (position ^ (position >>> 8) ^ (position >>> 16)) & 0xff;
}

/** Throws unless `bytes` can be the `length` bytes of the region at `offset`; looks at 17 of them. */
export function checkSamples(bytes: Uint8Array, offset: number, length: number): void {
  checkLength(bytes, length);
  if (length === 0) return;
  const step = Math.max(1, Math.floor(length / SAMPLES));
  for (let at = 0; at < length; at += step) checkByte(bytes, at, offset);
  checkByte(bytes, length - 1, offset);
}

/** The same, byte by byte. */
export function checkAll(bytes: Uint8Array, offset: number, length: number): void {
  checkLength(bytes, length);
  for (let at = 0; at < length; at += 1) checkByte(bytes, at, offset);
}

function checkLength(bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new Error(`got ${bytes.length} bytes instead of ${length}`);
}

function checkByte(bytes: Uint8Array, at: number, offset: number): void {
  if (bytes[at] === regionByte(offset + at)) return;
  throw new Error(`wrong byte at position ${offset + at} of the region`);
}
