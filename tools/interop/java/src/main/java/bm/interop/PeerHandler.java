package bm.interop;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.network.buffer.FileSegmentManagedBuffer;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.StreamCallbackWithID;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.server.RpcHandler;
import org.apache.spark.network.server.StreamManager;
import org.apache.spark.network.util.TransportConf;

/**
 * What benchmarks and pairings both ask for: answers of a given length, slices of the two regions as
 * chunks and streams, counters. The twin of ../../../../../../src/peer-handler.ts.
 */
class PeerHandler extends RpcHandler {
  static final int COUNTERS = -1;

  static final int MEMORY = 1;
  static final int FILE = 2;

  /** One for all servers of the process. */
  static final byte[] MEMORY_REGION = Region.bytes(Region.MEMORY_BYTES);

  final TransportConf conf;
  final File file;
  final AtomicLong oneWayMessages = new AtomicLong();
  final AtomicLong uploadedBytes = new AtomicLong();

  PeerHandler(TransportConf conf, File file) {
    this.conf = conf;
    this.file = file;
  }

  @Override
  public void receive(TransportClient client, ByteBuffer message, RpcResponseCallback callback) {
    int wanted = message.getInt();
    if (wanted == COUNTERS) callback.onSuccess(counters());
    else callback.onSuccess(ByteBuffer.wrap(MEMORY_REGION, 0, wanted).slice());
  }

  @Override
  public void receive(TransportClient client, ByteBuffer message) {
    oneWayMessages.incrementAndGet();
  }

  @Override
  public StreamCallbackWithID receiveStream(
      TransportClient client, ByteBuffer header, RpcResponseCallback callback) {
    String meta = StandardCharsets.UTF_8.decode(header).toString();
    return new StreamCallbackWithID() {
      @Override
      public String getID() {
        return meta;
      }

      @Override
      public void onData(String id, ByteBuffer bytes) {
        uploadedBytes.addAndGet(bytes.remaining());
      }

      @Override
      public void onComplete(String id) {}

      @Override
      public void onFailure(String id, Throwable cause) {}
    };
  }

  @Override
  public StreamManager getStreamManager() {
    return streams;
  }

  private final StreamManager streams =
      new StreamManager() {
        @Override
        public ManagedBuffer getChunk(long streamId, int index) {
          return slice((int) (streamId >> 40), streamId & ((1L << 40) - 1), index);
        }

        @Override
        public ManagedBuffer openStream(String name) {
          String[] parts = name.split(":");
          if (parts.length != 3) return null;
          return slice(kindOf(parts[0]), Long.parseLong(parts[1]), Integer.parseInt(parts[2]));
        }
      };

  /** The number of a kind of stream, which is its name in the ids of chunks. */
  int kindOf(String name) {
    return name.equals("mem") ? MEMORY : FILE;
  }

  ManagedBuffer slice(int kind, long size, int index) {
    if (kind == MEMORY) {
      int offset = (int) Region.offset(Region.MEMORY_BYTES, size, index);
      return new NioManagedBuffer(ByteBuffer.wrap(MEMORY_REGION, offset, (int) size).slice());
    }
    if (kind == FILE) {
      long offset = Region.offset(Region.FILE_BYTES, size, index);
      return new FileSegmentManagedBuffer(conf, file, offset, size);
    }
    return null;
  }

  private ByteBuffer counters() {
    var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    String json =
        String.format(
            "{\"cpuSeconds\":%s,\"residentBytes\":%d,\"oneWayMessages\":%d,\"uploadedBytes\":%d}",
            Double.toString(os.getProcessCpuTime() / 1e9),
            ResidentMemory.bytes(),
            oneWayMessages.get(),
            uploadedBytes.get());
    return ByteBuffer.wrap(json.getBytes(StandardCharsets.UTF_8));
  }
}
