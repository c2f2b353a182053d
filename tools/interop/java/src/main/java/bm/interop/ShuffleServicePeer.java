package bm.interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.server.TransportServer;
import org.apache.spark.network.shuffle.ExternalBlockHandler;
import org.apache.spark.network.shuffle.RemoteBlockPushResolver;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;

/**
 * Spark's own external shuffle service, with its push-merge manager, and Spark's own client of such a
 * service, as a process that is driven by JSON lines: see {@link TransportPeer} for their form. The
 * first line in is `{"conf": {...}, "appId": ID, "attemptId": ID}`; the ids are those of the client.
 */
public final class ShuffleServicePeer {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    JsonNode first = JSON.readTree(in.readLine());
    Map<String, String> values = new HashMap<>();
    first.path("conf").fields().forEachRemaining(e -> values.put(e.getKey(), e.getValue().asText()));
    TransportConf conf = new TransportConf("shuffle", new MapConfigProvider(values));
    var handler = new ExternalBlockHandler(conf, null, new RemoteBlockPushResolver(conf, null));
    try (TransportContext context = new TransportContext(conf, handler, true);
        TransportServer server = context.createServer("127.0.0.1", 0, java.util.List.of());
        ShuffleClientCommands client = new ShuffleClientCommands(conf, first)) {
      say(JSON.createObjectNode().put("port", server.getPort()));
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        JsonNode command = JSON.readTree(line);
        ObjectNode answer = JSON.createObjectNode().put("id", command.path("id").asInt());
        try {
          client.run(command, answer);
        } catch (Throwable error) {
          answer.put("error", String.valueOf(error));
        }
        say(answer);
      }
    }
    handler.close();
    System.exit(0);
  }

  private static void say(ObjectNode line) {
    synchronized (System.out) {
      System.out.println(line);
      System.out.flush();
    }
  }
}
