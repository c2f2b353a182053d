package bm.interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.server.TransportServer;
import org.apache.spark.network.shuffle.ExternalBlockHandler;
import org.apache.spark.network.shuffle.RemoteBlockPushResolver;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;

/**
 * Spark's own external shuffle service, with its push-merge manager, and Spark's own clients of such
 * a service, as a process that is driven by JSON lines: see {@link TransportPeer} for their form. The
 * first line in is `{"conf": {...}, "appId": ID}`, the first line out `{"port": N}`. A command may name
 * the application, its attempt and a configuration: there is a client for each combination.
 */
public final class ShuffleServicePeer {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final JsonNode first;
  private final Map<String, ShuffleClientCommands> clients = new ConcurrentHashMap<>();

  private ShuffleServicePeer(JsonNode first) {
    this.first = first;
  }

  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    ShuffleServicePeer peer = new ShuffleServicePeer(JSON.readTree(in.readLine()));
    TransportConf conf = conf(peer.first.path("conf"));
    var handler = new ExternalBlockHandler(conf, null, pushResolver(conf));
    TransportContext context = new TransportContext(conf, handler, true);
    TransportServer server = context.createServer("127.0.0.1", 0, java.util.List.of());
    ExecutorService threads = Executors.newCachedThreadPool();
    say(JSON.createObjectNode().put("port", server.getPort()));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JsonNode command = JSON.readTree(line);
      threads.execute(() -> say(peer.answer(command)));
    }
    System.exit(0);
  }

  /** Releases before 3.4 keep no database, and do not ask for one. */
  private static RemoteBlockPushResolver pushResolver(TransportConf conf) throws Exception {
    for (var constructor : RemoteBlockPushResolver.class.getDeclaredConstructors()) {
      if (constructor.getParameterCount() == 1) {
        return (RemoteBlockPushResolver) constructor.newInstance(conf);
      }
    }
    return RemoteBlockPushResolver.class
        .getConstructor(TransportConf.class, File.class)
        .newInstance(conf, null);
  }

  private ObjectNode answer(JsonNode command) {
    ObjectNode answer = JSON.createObjectNode().put("id", command.path("id").asInt());
    try {
      clientOf(command).run(command, answer);
    } catch (Throwable error) {
      answer.put("error", textOf(error));
    }
    return answer;
  }

  /** With the causes: which of them carries the words of the other end differs between releases. */
  static String textOf(Throwable error) {
    StringBuilder text = new StringBuilder(String.valueOf(error));
    for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
      text.append("\nCaused by: ").append(cause);
    }
    return text.toString();
  }

  private ShuffleClientCommands clientOf(JsonNode command) {
    String appId = command.path("appId").asText(first.path("appId").asText("app"));
    String attemptId = command.path("attemptId").asText(first.path("attemptId").asText("-1"));
    JsonNode values = command.has("conf") ? command.get("conf") : first.path("conf");
    return clients.computeIfAbsent(
        appId + " " + attemptId + " " + values,
        key -> new ShuffleClientCommands(conf(values), appId, attemptId));
  }

  private static TransportConf conf(JsonNode values) {
    Map<String, String> map = new HashMap<>();
    values.fields().forEachRemaining(e -> map.put(e.getKey(), e.getValue().asText()));
    return new TransportConf("shuffle", new MapConfigProvider(map));
  }

  private static void say(ObjectNode line) {
    synchronized (System.out) {
      System.out.println(line);
      System.out.flush();
    }
  }
}
