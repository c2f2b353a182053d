package bm.interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.shuffle.DownloadFile;
import org.apache.spark.network.shuffle.DownloadFileManager;
import org.apache.spark.network.shuffle.ExternalBlockStoreClient;
import org.apache.spark.network.shuffle.MergeFinalizerListener;
import org.apache.spark.network.shuffle.MergedBlockMeta;
import org.apache.spark.network.shuffle.MergedBlocksMetaListener;
import org.apache.spark.network.shuffle.SimpleDownloadFile;
import org.apache.spark.network.shuffle.protocol.ExecutorShuffleInfo;
import org.apache.spark.network.shuffle.protocol.MergeStatuses;
import org.apache.spark.network.util.TransportConf;

/** Spark's client of a shuffle service: one command, one answer. */
final class ShuffleClientCommands {
  private static final long LIMIT_SECONDS = 60;

  private final TransportConf conf;
  private final ExternalBlockStoreClient client;

  private final ShuffleRawMessages raw;

  ShuffleClientCommands(TransportConf conf, String appId, String attemptId) {
    this.conf = conf;
    client = new ExternalBlockStoreClient(conf, null, false, 5000);
    client.init(appId);
    client.setAppAttemptId(attemptId);
    raw = new ShuffleRawMessages(conf);
  }

  void run(JsonNode command, ObjectNode answer) throws Exception {
    String host = command.path("host").asText("127.0.0.1");
    int port = command.path("port").asInt();
    String exec = command.path("exec").asText();
    int shuffle = command.path("shuffleId").asInt();
    int merge = command.path("mergeId").asInt();
    switch (command.path("op").asText()) {
      case "register" ->
          client.registerWithShuffleServer(host, port, exec,
              new ExecutorShuffleInfo(texts(command, "localDirs"), 64, command.path("manager").asText()));
      case "fetch" -> fetch(host, port, exec, command, answer);
      case "push" -> push(host, port, command, answer);
      case "remove" ->
          answer.put("removed", client.removeBlocks(host, port, exec, texts(command, "blocks"))
              .get(LIMIT_SECONDS, TimeUnit.SECONDS));
      case "dirs" -> dirs(host, port, command, answer);
      case "finalize" -> finalizeMerge(host, port, shuffle, merge, answer);
      case "meta" -> meta(host, port, shuffle, merge, command.path("reduceId").asInt(), answer);
      case "removeMerge" -> answer.put("sent", removeMerge(host, port, shuffle, merge));
      case "raw" -> answer.put("answer", raw.ask(host, port, command.path("hex").asText()));
      case "rawUpload" ->
          answer.put("answer",
              raw.upload(host, port, command.path("hex").asText(), command.path("size").asInt()));
      case "diagnose" ->
          answer.put("cause", client.diagnoseCorruption(host, port, exec, shuffle,
              command.path("mapId").asLong(), command.path("reduceId").asInt(),
              command.path("checksum").asLong(), command.path("algorithm").asText()).name());
      default -> throw new IllegalArgumentException("unknown op " + command);
    }
  }

  /** Releases before 3.4 have no such request. */
  private boolean removeMerge(String host, int port, int shuffle, int merge) throws Exception {
    return (boolean)
        ExternalBlockStoreClient.class
            .getMethod("removeShuffleMerge", String.class, int.class, int.class, int.class)
            .invoke(client, host, port, shuffle, merge);
  }

  /** Each block as base64, or as `!` and the text of its failure. */
  private void fetch(String host, int port, String exec, JsonNode command, ObjectNode answer)
      throws Exception {
    String[] ids = texts(command, "blocks");
    var outcome = new ShuffleBlockOutcomes(ids.length);
    String dir = command.path("dir").asText("");
    client.fetchBlocks(host, port, exec, ids, outcome, dir.isEmpty() ? null : new Downloads(dir));
    outcome.write(answer.putObject("blocks"));
  }

  private void push(String host, int port, JsonNode command, ObjectNode answer) throws Exception {
    String[] ids = texts(command, "blocks");
    String[] contents = texts(command, "contents");
    ManagedBuffer[] buffers = new ManagedBuffer[ids.length];
    for (int i = 0; i < ids.length; i++) {
      buffers[i] = new NioManagedBuffer(ByteBuffer.wrap(Base64.getDecoder().decode(contents[i])));
    }
    var outcome = new ShuffleBlockOutcomes(ids.length);
    client.pushBlocks(host, port, ids, buffers, outcome);
    outcome.write(answer.putObject("blocks"));
  }

  private void dirs(String host, int port, JsonNode command, ObjectNode answer) throws Exception {
    var result = new CompletableFuture<Map<String, String[]>>();
    client.getHostLocalDirs(host, port, texts(command, "execs"), result);
    ObjectNode dirs = answer.putObject("dirs");
    result.get(LIMIT_SECONDS, TimeUnit.SECONDS)
        .forEach((exec, paths) -> dirs.put(exec, String.join(",", paths)));
  }

  private void finalizeMerge(String host, int port, int shuffle, int merge, ObjectNode answer)
      throws Exception {
    var result = new CompletableFuture<MergeStatuses>();
    client.finalizeShuffleMerge(host, port, shuffle, merge, new MergeFinalizerListener() {
      @Override
      public void onShuffleMergeSuccess(MergeStatuses statuses) {
        result.complete(statuses);
      }

      @Override
      public void onShuffleMergeFailure(Throwable error) {
        result.completeExceptionally(error);
      }
    });
    MergeStatuses statuses = result.get(LIMIT_SECONDS, TimeUnit.SECONDS);
    ObjectNode merged = answer.putObject("merged");
    for (int i = 0; i < statuses.reduceIds.length; i++) {
      merged.put(String.valueOf(statuses.reduceIds[i]),
          statuses.sizes[i] + ":" + statuses.bitmaps[i]);
    }
  }

  private void meta(String host, int port, int shuffle, int merge, int reduce, ObjectNode answer)
      throws Exception {
    var result = new CompletableFuture<String>();
    client.getMergedBlockMeta(host, port, shuffle, merge, reduce, new MergedBlocksMetaListener() {
      @Override
      public void onSuccess(int shuffleId, int shuffleMergeId, int reduceId, MergedBlockMeta meta) {
        // The buffer is released behind this call.
        try {
          List<String> chunks = new ArrayList<>();
          for (var bitmap : meta.readChunkBitmaps()) chunks.add(bitmap.toString());
          result.complete(String.join(";", chunks));
        } catch (java.io.IOException error) {
          result.completeExceptionally(error);
        }
      }

      @Override
      public void onFailure(int shuffleId, int shuffleMergeId, int reduceId, Throwable error) {
        result.completeExceptionally(error);
      }
    });
    answer.put("chunks", result.get(LIMIT_SECONDS, TimeUnit.SECONDS));
  }

  private static String[] texts(JsonNode command, String field) {
    List<String> texts = new ArrayList<>();
    command.path(field).forEach(text -> texts.add(text.asText()));
    return texts.toArray(new String[0]);
  }

  /** Fetches into files of a directory. */
  private final class Downloads implements DownloadFileManager {
    private final File directory;

    Downloads(String directory) {
      this.directory = new File(directory);
    }

    @Override
    public DownloadFile createTempFile(TransportConf ignored) {
      try {
        return new SimpleDownloadFile(File.createTempFile("download", "", directory), conf);
      } catch (java.io.IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
    }

    @Override
    public boolean registerTempFileToClean(DownloadFile file) {
      return true;
    }
  }
}
