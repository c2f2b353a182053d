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
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.server.TransportServer;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;

/**
 * Spark's own transport as a process that is driven by JSON lines on standard input and answers with
 * JSON lines on standard output. The first line in is the configuration: `{"conf": {...}, "file":
 * PATH}`; the first line out is `{"port": N}`. Then every command `{"id", "op", ...}` gets an answer
 * `{"id", ...}` with the result or `error`. The end of input ends the process.
 */
public final class TransportPeer {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    JsonNode first = JSON.readTree(in.readLine());
    Map<String, String> values = new HashMap<>();
    first.path("conf").properties().forEach(e -> values.put(e.getKey(), e.getValue().asText()));
    TransportConf conf = new TransportConf("shuffle", new MapConfigProvider(values));
    PeerHandler handler = new PeerHandler(conf, new File(first.path("file").asText("/nonexistent")));
    try (TransportContext context = new TransportContext(conf, handler, false);
        TransportServer server = context.createServer("127.0.0.1", 0, java.util.List.of());
        PeerClient client = new PeerClient(context)) {
      say(JSON.createObjectNode().put("port", server.getPort()));
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        JsonNode command = JSON.readTree(line);
        ObjectNode answer = JSON.createObjectNode().put("id", command.path("id").asInt());
        try {
          client.run(command, answer);
        } catch (Throwable error) {
          answer.put("error", String.valueOf(error));
          if (error.getCause() != null) answer.put("cause", String.valueOf(error.getCause()));
        }
        say(answer);
      }
    }
    System.exit(0);
  }

  private static void say(ObjectNode line) {
    synchronized (System.out) {
      System.out.println(line);
      System.out.flush();
    }
  }
}
