package bm.interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.client.ChunkReceivedCallback;
import org.apache.spark.network.client.MergedBlockMetaResponseCallback;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.StreamCallback;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.client.TransportClientFactory;

/** The requesting side of the JVM peer: one command, one answer. */
final class PeerClient implements AutoCloseable {
  private static final long LIMIT_SECONDS = 60;

  private final TransportClientFactory factory;
  private TransportClient client;

  PeerClient(TransportContext context) {
    this.factory = context.createClientFactory();
  }

  void run(JsonNode command, ObjectNode answer) throws Exception {
    switch (command.path("op").asText()) {
      case "connect" ->
          client = factory.createClient(command.get("host").asText(), command.get("port").asInt());
      case "isActive" -> answer.put("active", client.isActive());
      case "close" -> client.close();
      case "rpc" -> answer.put("bytes", rpc(command.get("bytes").asInt(), command.path("times").asInt(1)));
      case "echo" -> answer.put("bytes", echo(command.get("bytes").asInt()));
      case "fail" -> client.sendRpcSync(request(PeerHandler.FAIL, 0), 10_000);
      case "silence" -> sendRpc(request(PeerHandler.SILENCE, 0)).get(LIMIT_SECONDS, TimeUnit.SECONDS);
      case "oneWay" -> {
        for (int i = 0; i < command.get("times").asInt(); i++) client.send(request(0, 10));
        client.sendRpcSync(request(0, 0), 10_000);
      }
      case "chunks" ->
          answer.put(
              "bytes",
              chunks(command.get("streamId").asLong(), command.get("count").asInt()));
      case "stream" -> answer.put("bytes", stream(command.get("name").asText()));
      case "upload" -> upload(command.get("meta").asText(), command.get("bytes").asInt());
      case "meta" -> meta(command, answer);
      default -> throw new IllegalArgumentException("unknown op " + command);
    }
  }

  private static ByteBuffer request(int wanted, int padding) {
    ByteBuffer message = ByteBuffer.allocate(4 + padding);
    message.putInt(wanted);
    for (int p = 0; p < padding; p++) message.put(Region.at(p));
    message.flip();
    return message;
  }

  private CompletableFuture<ByteBuffer> sendRpc(ByteBuffer message) {
    CompletableFuture<ByteBuffer> result = new CompletableFuture<>();
    client.sendRpc(
        message,
        new RpcResponseCallback() {
          @Override
          public void onSuccess(ByteBuffer response) {
            ByteBuffer copy = ByteBuffer.allocate(response.remaining());
            copy.put(response).flip();
            result.complete(copy);
          }

          @Override
          public void onFailure(Throwable cause) {
            result.completeExceptionally(cause);
          }
        });
    return result;
  }

  private long rpc(int bytes, int times) throws Exception {
    var pending = new java.util.ArrayList<CompletableFuture<ByteBuffer>>();
    for (int i = 0; i < times; i++) pending.add(sendRpc(request(bytes, 0)));
    long total = 0;
    for (var one : pending) {
      ByteBuffer response = one.get(LIMIT_SECONDS, TimeUnit.SECONDS);
      Region.check(response, 0);
      total += response.remaining();
    }
    return total;
  }

  private long echo(int bytes) throws Exception {
    ByteBuffer response =
        sendRpc(request(PeerHandler.ECHO, bytes)).get(LIMIT_SECONDS, TimeUnit.SECONDS);
    Region.check(response, 0);
    return response.remaining();
  }

  private long chunks(long streamId, int count) throws Exception {
    long size = streamId & ((1L << 40) - 1);
    long region = streamId >> 40 == 1 ? Region.MEMORY_BYTES : Region.FILE_BYTES;
    CountDownLatch done = new CountDownLatch(count);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    var total = new java.util.concurrent.atomic.AtomicLong();
    for (int index = 0; index < count; index++) {
      client.fetchChunk(
          streamId,
          index,
          new ChunkReceivedCallback() {
            @Override
            public void onSuccess(int chunkIndex, ManagedBuffer buffer) {
              try {
                Region.check(buffer.nioByteBuffer(), Region.offset(region, size, chunkIndex));
                total.addAndGet(buffer.size());
              } catch (Throwable error) {
                failure.compareAndSet(null, error);
              }
              done.countDown();
            }

            @Override
            public void onFailure(int chunkIndex, Throwable cause) {
              failure.compareAndSet(null, cause);
              done.countDown();
            }
          });
    }
    await(done);
    rethrow(failure.get());
    return total.get();
  }

  private long stream(String name) throws Exception {
    CountDownLatch done = new CountDownLatch(1);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    long[] total = {0};
    String[] parts = name.split(":");
    long size = parts.length == 3 ? Long.parseLong(parts[1]) : 0;
    long region = name.startsWith("mem") ? Region.MEMORY_BYTES : Region.FILE_BYTES;
    long offset = parts.length == 3 ? Region.offset(region, size, Long.parseLong(parts[2])) : 0;
    client.stream(
        name,
        new StreamCallback() {
          @Override
          public void onData(String id, ByteBuffer bytes) {
            Region.check(bytes, offset + total[0]);
            total[0] += bytes.remaining();
          }

          @Override
          public void onComplete(String id) {
            done.countDown();
          }

          @Override
          public void onFailure(String id, Throwable cause) {
            failure.set(cause);
            done.countDown();
          }
        });
    await(done);
    rethrow(failure.get());
    return total[0];
  }

  private void upload(String meta, int bytes) throws Exception {
    CompletableFuture<Void> result = new CompletableFuture<>();
    client.uploadStream(
        new NioManagedBuffer(ByteBuffer.wrap(meta.getBytes(StandardCharsets.UTF_8))),
        new NioManagedBuffer(ByteBuffer.wrap(Region.bytes(bytes))),
        new RpcResponseCallback() {
          @Override
          public void onSuccess(ByteBuffer response) {
            result.complete(null);
          }

          @Override
          public void onFailure(Throwable cause) {
            result.completeExceptionally(cause);
          }
        });
    result.get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  private void meta(JsonNode command, ObjectNode answer) throws Exception {
    CompletableFuture<String> result = new CompletableFuture<>();
    client.sendMergedBlockMetaReq(
        command.get("appId").asText(),
        1,
        2,
        command.get("reduceId").asInt(),
        new MergedBlockMetaResponseCallback() {
          @Override
          public void onSuccess(int numChunks, ManagedBuffer buffer) {
            try {
              String text = StandardCharsets.UTF_8.decode(buffer.nioByteBuffer()).toString();
              result.complete(numChunks + ":" + text);
            } catch (IOException error) {
              result.completeExceptionally(error);
            }
          }

          @Override
          public void onFailure(Throwable cause) {
            result.completeExceptionally(cause);
          }
        });
    answer.put("meta", result.get(LIMIT_SECONDS, TimeUnit.SECONDS));
  }

  private static void await(CountDownLatch done) throws Exception {
    if (!done.await(LIMIT_SECONDS, TimeUnit.SECONDS)) throw new IOException("no answer in time");
  }

  private static void rethrow(Throwable failure) throws Exception {
    if (failure instanceof Exception exception) throw exception;
    if (failure != null) throw new IllegalStateException(failure);
  }

  @Override
  public void close() {
    factory.close();
  }
}
