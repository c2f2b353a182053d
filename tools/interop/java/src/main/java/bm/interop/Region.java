package bm.interop;

/** The bytes that every peer serves: position p holds the low eight bits of p ^ p>>>8 ^ p>>>16. */
final class Region {
  static final int MEMORY_BYTES = 64 * 1024 * 1024;
  static final int FILE_BYTES = 256 * 1024 * 1024;

  private Region() {}

  static byte at(long position) {
    return (byte) (position ^ (position >>> 8) ^ (position >>> 16));
  }

  static byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    for (int p = 0; p < length; p++) bytes[p] = at(p);
    return bytes;
  }

  /** Where chunk `index` of chunks of `size` bytes begins. */
  static long offset(long regionBytes, long size, long index) {
    long slots = Math.max(1, regionBytes / Math.max(1, size));
    return (index % slots) * size;
  }

  /** Throws when `bytes` is not the slice of the region that begins at `offset`. */
  static void check(java.nio.ByteBuffer bytes, long offset) {
    for (int i = bytes.position(); i < bytes.limit(); i++) {
      long position = offset + (i - bytes.position());
      if (bytes.get(i) != at(position)) {
        throw new WrongBytesException("byte at position " + position);
      }
    }
  }
}
