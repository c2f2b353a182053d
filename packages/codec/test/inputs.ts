/** The plain inputs behind the recorded streams, made by the rules that their manifest names. */
const WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf"];
const SENTENCE = "The quick brown fox jumps over the lazy dog. ";

export const INPUTS: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  one: Buffer.from("A"),
  text100: Buffer.from(SENTENCE.repeat(3)).subarray(0, 100),
  rand65537: randomBytes(65_537, 0x1234_5678),
  lines307200: lines(307_200),
};

export function concatInputs(names: readonly string[]): Buffer {
  return Buffer.concat(names.map((name) => INPUTS[name] ?? Buffer.alloc(0)));
}

/** Bytes of a xorshift generator: no compressor shrinks them. */
export function randomBytes(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let index = 0; index < length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 0xff;
  }
  return bytes;
}

/** Lines of text that shrink to about a third. */
export function lines(length: number): Buffer {
  let text = "";
  for (let index = 0; text.length < length; index++) {
    const number = String(index).padStart(8, "0");
    text += `line ${number} ${WORDS[index % WORDS.length]} ${(index * 31) % 1009}\n`;
  }
  return Buffer.from(text).subarray(0, length);
}

/** The input in pieces of at most `length` bytes. */
export function chunksOf(bytes: Uint8Array, length: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / length);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * length, (i + 1) * length));
}
