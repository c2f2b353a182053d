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

/** Serves the contract of the peers; see ../../../../../README.md. */
final class PeerHandler extends RpcHandler {
  static final int COUNTERS = -1;
  static final int FAIL = -2;
  static final int ECHO = -3;
  static final int SILENCE = -4;

  private final byte[] memory = Region.bytes(Region.MEMORY_BYTES);
  private final TransportConf conf;
  private final File file;
  final AtomicLong oneWayMessages = new AtomicLong();
  final AtomicLong uploadedBytes = new AtomicLong();
  final AtomicLong activeChannels = new AtomicLong();

  PeerHandler(TransportConf conf, File file) {
    this.conf = conf;
    this.file = file;
  }

  @Override
  public void receive(TransportClient client, ByteBuffer message, RpcResponseCallback callback) {
    int wanted = message.getInt();
    if (wanted == FAIL) throw new UnsupportedOperationException("asked to fail");
    if (wanted == SILENCE) return;
    if (wanted == COUNTERS) callback.onSuccess(counters());
    else if (wanted == ECHO) {
      ByteBuffer echo = ByteBuffer.allocate(message.remaining());
      echo.put(message).flip();
      callback.onSuccess(echo);
    } else callback.onSuccess(ByteBuffer.wrap(memory, 0, wanted).slice());
  }

  @Override
  public void receive(TransportClient client, ByteBuffer message) {
    oneWayMessages.incrementAndGet();
  }

  @Override
  public StreamCallbackWithID receiveStream(
      TransportClient client, ByteBuffer header, RpcResponseCallback callback) {
    String meta = StandardCharsets.UTF_8.decode(header).toString();
    if (meta.equals("refuse")) throw new UnsupportedOperationException("asked to refuse");
    return new StreamCallbackWithID() {
      @Override
      public String getID() {
        return meta;
      }

      @Override
      public void onData(String id, ByteBuffer bytes) {
        uploadedBytes.addAndGet(bytes.remaining());
        if (meta.equals("fail-in-data")) throw new IllegalStateException("asked to fail in data");
      }

      @Override
      public void onComplete(String id) {
        if (meta.equals("fail-at-end")) throw new IllegalStateException("asked to fail at end");
      }

      @Override
      public void onFailure(String id, Throwable cause) {}
    };
  }

  @Override
  public MergedBlockMetaReqHandler getMergedBlockMetaReqHandler() {
    return (client, request, callback) ->
        callback.onSuccess(
            request.reduceId,
            new NioManagedBuffer(
                ByteBuffer.wrap(request.appId.getBytes(StandardCharsets.UTF_8))));
  }

  @Override
  public void channelActive(TransportClient client) {
    activeChannels.incrementAndGet();
  }

  @Override
  public void channelInactive(TransportClient client) {
    activeChannels.decrementAndGet();
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
          int kind = parts[0].equals("mem") ? 1 : 2;
          return slice(kind, Long.parseLong(parts[1]), Integer.parseInt(parts[2]));
        }
      };

  private ManagedBuffer slice(int kind, long size, int index) {
    if (kind == 1) {
      int offset = (int) Region.offset(Region.MEMORY_BYTES, size, index);
      return new NioManagedBuffer(ByteBuffer.wrap(memory, offset, (int) size).slice());
    }
    if (kind == 2) {
      long offset = Region.offset(Region.FILE_BYTES, size, index);
      return new FileSegmentManagedBuffer(conf, file, offset, size);
    }
    if (kind == 3) {
      return new FileSegmentManagedBuffer(conf, new File(file, "no-such-file"), 0, size);
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
