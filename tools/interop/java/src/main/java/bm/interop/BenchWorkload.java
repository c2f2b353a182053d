package bm.interop;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;

/** What the benchmark's client is told to do; the twin of tools/bench/src/suites/workload.ts. */
final class BenchWorkload {
  private static final int SAMPLES = 16;

  final String kind;
  final int connections;
  final int window;
  final String pacing;
  final int requestBytes;
  final int replyBytes;
  final long regionBytes;
  final long streamBase;
  final int[] chunkBytes;
  final int chunksPerStream;
  final long nanos;
  final long operationsMin;
  final long operationsMax;
  final long serverPid;
  final boolean isWarmUp;
  private final byte[] request;

  BenchWorkload(JsonNode line) {
    kind = line.get("kind").asText();
    connections = line.get("connections").asInt();
    window = line.get("window").asInt();
    pacing = line.get("pacing").asText();
    requestBytes = line.get("requestBytes").asInt();
    replyBytes = line.get("replyBytes").asInt();
    boolean isFile = line.get("region").asText().equals("file");
    regionBytes = isFile ? Region.FILE_BYTES : Region.MEMORY_BYTES;
    streamBase = (isFile ? 2L : 1L) << 40;
    JsonNode sizes = line.get("chunkBytes");
    chunkBytes = new int[sizes.size()];
    for (int i = 0; i < chunkBytes.length; i++) chunkBytes[i] = sizes.get(i).asInt();
    chunksPerStream = line.get("chunksPerStream").asInt();
    nanos = (long) (line.get("seconds").asDouble() * 1e9);
    operationsMin = line.get("operationsMin").asLong();
    operationsMax = line.get("operationsMax").asLong();
    serverPid = line.get("serverPid").asLong();
    isWarmUp = line.get("isWarmUp").asBoolean();
    request = new byte[Math.max(4, requestBytes)];
    java.util.Arrays.fill(request, (byte) 0x5a);
    ByteBuffer.wrap(request).putInt(replyBytes);
  }

  boolean isChunkLoad() {
    return chunkBytes.length > 0;
  }

  /** The body of a request. The bytes are shared: nobody writes to them. */
  ByteBuffer request() {
    return ByteBuffer.wrap(request);
  }

  int chunkBytesAt(int index) {
    return chunkBytes[index / chunksPerStream % chunkBytes.length];
  }

  long streamIdAt(int index) {
    return streamBase + chunkBytesAt(index);
  }

  /** What an answer to request or chunk `index` adds to the count of bytes. */
  int bytesAt(int index) {
    return isChunkLoad() ? chunkBytesAt(index) : requestBytes + replyBytes;
  }

  /** Throws when the answer is not the right one: its length, and 17 bytes or all of them. */
  void check(ByteBuffer bytes, int index, boolean isWhole) {
    int length = isChunkLoad() ? chunkBytesAt(index) : replyBytes;
    if (bytes.remaining() != length) {
      throw new IllegalStateException("got " + bytes.remaining() + " bytes instead of " + length);
    }
    long offset = isChunkLoad() ? Region.offset(regionBytes, length, index) : 0;
    if (isWhole) Region.check(bytes, offset);
    else if (length > 0) checkSamples(bytes, offset, length);
  }

  private static void checkSamples(ByteBuffer bytes, long offset, int length) {
    int start = bytes.position();
    int step = Math.max(1, length / SAMPLES);
    for (int at = 0; at < length; at += step) checkByte(bytes.get(start + at), offset + at);
    checkByte(bytes.get(start + length - 1), offset + length - 1);
  }

  private static void checkByte(byte found, long position) {
    if (found != Region.at(position)) {
      throw new IllegalStateException("wrong byte at position " + position);
    }
  }
}
