package bm.interop;

import io.netty.channel.Channel;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.apache.spark.network.buffer.FileSegmentManagedBuffer;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.StreamCallbackWithID;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.server.OneForOneStreamManager;
import org.apache.spark.network.server.StreamManager;
import org.apache.spark.network.util.TransportConf;

/**
 * Does on request what can go wrong. The twin of ../../../../../../src/pairing/scripted-handler.ts;
 * the numbers are in the table there.
 */
final class ScriptedHandler extends PeerHandler {
  private static final int FAIL = -2;
  private static final int ECHO = -3;
  private static final int SILENCE = -4;
  private static final int HANG_UP = -5;
  private static final int TWICE = -6;
  private static final int FRESH = -7;
  private static final int STOP_READING = -8;
  private static final int HOLD = -9;
  private static final int OPEN = -10;

  private static final List<String> KINDS =
      List.of("", "mem", "file", "missing", "nothing", "short", "broken", "failing");
  private static final int MISSING = 3;
  static final int SHORT = 5;
  private static final int BROKEN = 6;
  private static final int FAILING = 7;

  /** Streams that were opened, instead of the regions' slices. */
  private final OneForOneStreamManager opened;

  private final Set<TransportClient> connections = ConcurrentHashMap.newKeySet();
  private final List<Runnable> held = new ArrayList<>();
  final AtomicLong requests = new AtomicLong();
  final AtomicLong lookups = new AtomicLong();
  final AtomicLong uploadsBegun = new AtomicLong();
  final AtomicLong uploadsCompleted = new AtomicLong();
  final AtomicLong uploadsFailed = new AtomicLong();

  ScriptedHandler(TransportConf conf, File file, boolean isOneForOne) {
    super(conf, file);
    opened = isOneForOne ? new OneForOneStreamManager() : null;
  }

  Set<TransportClient> connections() {
    return connections;
  }

  synchronized int heldCount() {
    return held.size();
  }

  /** Answers what was held, the last one first. */
  synchronized void release() {
    for (int i = held.size() - 1; i >= 0; i--) held.get(i).run();
    held.clear();
  }

  @Override
  public void receive(TransportClient client, ByteBuffer message, RpcResponseCallback callback) {
    requests.incrementAndGet();
    int wanted = message.getInt(message.position());
    if (wanted >= COUNTERS) {
      super.receive(client, message, callback);
      return;
    }
    message.getInt();
    switch (wanted) {
      case FAIL -> throw new UnsupportedOperationException("asked to fail");
      case ECHO -> callback.onSuccess(copyOf(message, message.remaining()));
      case SILENCE -> {}
      case HANG_UP -> client.getChannel().close();
      case TWICE -> {
        callback.onSuccess(ByteBuffer.wrap(MEMORY_REGION, 0, 1).slice());
        callback.onSuccess(ByteBuffer.wrap(MEMORY_REGION, 0, 2).slice());
      }
      case FRESH -> callback.onSuccess(copyOf(ByteBuffer.wrap(MEMORY_REGION), message.getInt()));
      case STOP_READING -> {
        client.getChannel().config().setAutoRead(false);
        callback.onSuccess(ByteBuffer.allocate(0));
      }
      case HOLD -> hold(callback, message.getInt());
      case OPEN -> callback.onSuccess(open(client.getChannel(), message.getInt(), message.getInt()));
      default -> throw new IllegalArgumentException("unknown command " + wanted);
    }
  }

  private static ByteBuffer copyOf(ByteBuffer bytes, int length) {
    byte[] copy = new byte[length];
    bytes.get(copy);
    return ByteBuffer.wrap(copy);
  }

  private synchronized void hold(RpcResponseCallback callback, int length) {
    held.add(() -> callback.onSuccess(ByteBuffer.wrap(MEMORY_REGION, 0, length).slice()));
  }

  /** Registers `count` chunks of `size` bytes, the slices of the memory region. */
  private ByteBuffer open(Channel channel, int count, int size) {
    Iterator<ManagedBuffer> chunks =
        IntStream.range(0, count).mapToObj(index -> slice(MEMORY, size, index)).iterator();
    long id = opened.registerStream(null, chunks, channel);
    return ByteBuffer.allocate(8).putLong(0, id);
  }

  @Override
  public StreamCallbackWithID receiveStream(
      TransportClient client, ByteBuffer header, RpcResponseCallback callback) {
    String meta = StandardCharsets.UTF_8.decode(header).toString();
    if (meta.equals("refuse")) throw new UnsupportedOperationException("asked to refuse");
    if (meta.equals("stop-reading")) client.getChannel().config().setAutoRead(false);
    uploadsBegun.incrementAndGet();
    return new StreamCallbackWithID() {
      private long at;
      private boolean isFailed;

      @Override
      public String getID() {
        return meta;
      }

      @Override
      public void onData(String id, ByteBuffer bytes) {
        Region.check(bytes, at);
        at += bytes.remaining();
        uploadedBytes.addAndGet(bytes.remaining());
        if (meta.equals("fail-in-data")) throw new IllegalStateException("asked to fail in data");
      }

      @Override
      public void onComplete(String id) {
        if (meta.equals("fail-at-end")) throw new IllegalStateException("asked to fail at end");
        uploadsCompleted.incrementAndGet();
      }

      @Override
      public void onFailure(String id, Throwable cause) {
        // Spark tells a receiver twice when its connection ends in the middle.
        if (!isFailed) uploadsFailed.incrementAndGet();
        isFailed = true;
      }
    };
  }

  @Override
  public MergedBlockMetaReqHandler getMergedBlockMetaReqHandler() {
    return (client, request, callback) -> {
      switch (request.reduceId) {
        case -1 -> super.getMergedBlockMetaReqHandler()
            .receiveMergeBlockMetaReq(client, request, callback);
        case -2 -> callback.onFailure(new IllegalStateException("asked to fail"));
        case -3 -> throw new IllegalStateException("asked to throw");
        default -> {
          byte[] appId = request.appId.getBytes(StandardCharsets.UTF_8);
          callback.onSuccess(request.reduceId, new NioManagedBuffer(ByteBuffer.wrap(appId)));
        }
      }
    };
  }

  @Override
  public void channelActive(TransportClient client) {
    connections.add(client);
  }

  @Override
  public void channelInactive(TransportClient client) {
    connections.remove(client);
  }

  @Override
  public StreamManager getStreamManager() {
    return opened == null ? super.getStreamManager() : opened;
  }

  @Override
  int kindOf(String name) {
    return KINDS.indexOf(name);
  }

  @Override
  ManagedBuffer slice(int kind, long size, int index) {
    lookups.incrementAndGet();
    return switch (kind) {
      case MISSING ->
          new FileSegmentManagedBuffer(conf, new File(file.getPath() + "-missing"), 0, size);
      // Its second half lies behind the end of the file.
      case SHORT -> new FileSegmentManagedBuffer(conf, file, Region.FILE_BYTES - size / 2, size);
      case BROKEN -> new BrokenBuffer(ByteBuffer.wrap(MEMORY_REGION, 0, (int) size / 2).slice(), size);
      case FAILING -> throw new UnsupportedOperationException("asked to fail");
      default -> super.slice(kind, size, index);
    };
  }
}
