/**
 * Java's `String.hashCode`: s[0]·31^(n-1) + … + s[n-1] over UTF-16 units, wrapped to signed 32 bits.
 * Peers choose directories by it, so it must agree to the bit.
 */
export function javaStringHash(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  }
  return hash;
}
