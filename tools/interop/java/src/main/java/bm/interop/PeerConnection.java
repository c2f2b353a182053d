package bm.interop;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.spark.network.buffer.FileSegmentManagedBuffer;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.client.ChunkReceivedCallback;
import org.apache.spark.network.client.MergedBlockMetaResponseCallback;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.StreamCallback;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.util.TransportConf;

/** Makes the requests of a batch. The twin of ../../../../../../src/pairing/our-connection.ts. */
final class PeerConnection {
  private static final Map<String, Integer> COMMANDS =
      Map.of("fail", -2, "echo", -3, "silence", -4, "hangUp", -5, "twice", -6, "fresh", -7,
          "stopReading", -8, "hold", -9, "open", -10);
  private static final Map<String, Integer> KINDS =
      Map.of("memory", 1, "file", 2, "missing", 3, "nothing", 4, "short", 5, "broken", 6, "failing", 7);

  final TransportClient client;
  private final TransportConf conf;
  private final File file;

  PeerConnection(TransportClient client, TransportConf conf, File file) {
    this.client = client;
    this.conf = conf;
    this.file = file;
  }

  /** Returns when it is so: outside of the event loop the switch takes effect some time later. */
  static void read(TransportClient client, boolean isReading) {
    var channel = client.getChannel();
    channel.eventLoop().submit(() -> channel.config().setAutoRead(isReading)).syncUninterruptibly();
  }

  PeerBatch begin(JsonNode requests) {
    PeerBatch batch = new PeerBatch();
    for (JsonNode request : requests) {
      int times = request.path("times").asInt(1);
      for (int i = 0; i < times; i++) begin(request, i, batch);
    }
    return batch;
  }

  /** Has the server register chunks; gives the id of their stream. */
  long open(int count, int size) {
    ByteBuffer message = ByteBuffer.allocate(12).putInt(COMMANDS.get("open")).putInt(count).putInt(size);
    return client.sendRpcSync(message.flip(), 60_000).getLong();
  }

  private void begin(JsonNode request, int turn, PeerBatch batch) {
    switch (request.path("op").asText()) {
      case "rpc" -> rpc(request, turn, batch);
      case "oneWay" -> client.send(message(0, request.path("size").asInt()));
      case "chunk" -> chunk(request, turn, batch);
      case "stream" -> stream(request, turn, batch);
      case "upload" -> upload(request, batch);
      case "meta" -> meta(request, batch);
      default -> throw new IllegalArgumentException("unknown request " + request);
    }
  }

  private static ByteBuffer message(int command, int padding) {
    ByteBuffer message = ByteBuffer.allocate(4 + padding);
    message.putInt(command);
    for (int p = 0; p < padding; p++) message.put(Region.at(p));
    return message.flip();
  }

  private void rpc(JsonNode request, int turn, PeerBatch batch) {
    String command = request.path("command").asText("reply");
    int size = request.path("size").asInt() + turn * request.path("step").asInt();
    boolean hasBody = command.equals("echo");
    ByteBuffer message =
        switch (command) {
          case "reply" -> message(size, 0);
          case "echo" -> message(COMMANDS.get(command), size);
          default -> ByteBuffer.allocate(8).putInt(COMMANDS.get(command)).putInt(size).flip();
        };
    boolean isChecked = hasBody || !COMMANDS.containsKey(command) || size > 0;
    client.sendRpc(message, answer(batch, batch.add(), isChecked ? size : -1));
  }

  private static RpcResponseCallback answer(PeerBatch batch, int request, long length) {
    return new RpcResponseCallback() {
      @Override
      public void onSuccess(ByteBuffer response) {
        check(batch, request, response, 0, length);
      }

      @Override
      public void onFailure(Throwable cause) {
        batch.failed(request, cause);
      }
    };
  }

  /** `length` is what the answer must have, or -1. */
  private static void check(PeerBatch batch, int request, ByteBuffer bytes, long offset, long length) {
    try {
      Region.check(bytes, offset);
      if (length >= 0 && bytes.remaining() != length) throw new WrongBytesException("length " + bytes.remaining());
      batch.succeeded(request, bytes.remaining());
    } catch (WrongBytesException error) {
      batch.failed(request, error);
    }
  }

  private void chunk(JsonNode request, int turn, PeerBatch batch) {
    int kind = KINDS.get(request.path("kind").asText("memory"));
    long size = request.path("size").asLong();
    long streamId = request.has("streamId") ? request.get("streamId").asLong() : ((long) kind << 40) + size;
    int number = batch.add();
    ChunkReceivedCallback callback =
        new ChunkReceivedCallback() {
          @Override
          public void onSuccess(int index, ManagedBuffer buffer) {
            try {
              check(batch, number, buffer.nioByteBuffer(), regionOffset(kind, size, index), size);
            } catch (IOException error) {
              batch.failed(number, error);
            }
          }

          @Override
          public void onFailure(int index, Throwable cause) {
            batch.failed(number, cause);
          }
        };
    boolean isSame = request.path("isSame").asBoolean();
    client.fetchChunk(streamId, request.path("first").asInt() + (isSame ? 0 : turn), callback);
  }

  private static long regionOffset(int kind, long size, long index) {
    if (kind == ScriptedHandler.SHORT) return Region.FILE_BYTES - size / 2;
    long region = kind == PeerHandler.MEMORY ? Region.MEMORY_BYTES : Region.FILE_BYTES;
    return kind > PeerHandler.FILE ? 0 : Region.offset(region, size, index);
  }

  private void stream(JsonNode request, int turn, PeerBatch batch) {
    String kindName = request.path("kind").asText("memory");
    int kind = KINDS.get(kindName);
    long size = request.path("size").asLong() + turn * request.path("step").asLong();
    int index = request.path("first").asInt() + turn;
    String prefix = kindName.equals("memory") ? "mem" : kindName;
    String name = request.has("name") ? request.get("name").asText() : prefix + ":" + size + ":" + index;
    int number = batch.add();
    client.stream(name, new StreamCallback() {
      private long at = regionOffset(kind, size, index);
      private long received;

      @Override
      public void onData(String id, ByteBuffer bytes) {
        Region.check(bytes, at + received);
        received += bytes.remaining();
      }

      @Override
      public void onComplete(String id) {
        if (received == size) batch.succeeded(number, received);
        else batch.failed(number, new WrongBytesException("length " + received));
      }

      @Override
      public void onFailure(String id, Throwable cause) {
        batch.failed(number, cause);
      }
    });
  }

  private void upload(JsonNode request, PeerBatch batch) {
    byte[] meta = request.path("meta").asText().getBytes(StandardCharsets.UTF_8);
    int size = request.path("size").asInt();
    ManagedBuffer data =
        switch (request.path("kind").asText("memory")) {
          case "memory" -> new NioManagedBuffer(ByteBuffer.wrap(Region.bytes(size)));
          case "file" -> new FileSegmentManagedBuffer(conf, file, 0, size);
          case "missing" -> new FileSegmentManagedBuffer(conf, new File(file + "-missing"), 0, size);
          default -> new BrokenBuffer(ByteBuffer.wrap(Region.bytes(size / 2)), size);
        };
    client.uploadStream(new NioManagedBuffer(ByteBuffer.wrap(meta)), data, answer(batch, batch.add(), 0));
  }

  private void meta(JsonNode request, PeerBatch batch) {
    int number = batch.add();
    String appId = request.path("appId").asText("app");
    int reduceId = request.path("reduceId").asInt();
    client.sendMergedBlockMetaReq(appId, 1, 2, reduceId, new MergedBlockMetaResponseCallback() {
      @Override
      public void onSuccess(int chunks, ManagedBuffer bitmaps) {
        try {
          String text = StandardCharsets.UTF_8.decode(bitmaps.nioByteBuffer()).toString();
          if (chunks != reduceId || !text.equals(appId)) throw new WrongBytesException(chunks + text);
          batch.succeeded(number, bitmaps.size());
        } catch (IOException | WrongBytesException error) {
          batch.failed(number, error);
        }
      }

      @Override
      public void onFailure(Throwable cause) {
        batch.failed(number, cause);
      }
    });
  }
}
