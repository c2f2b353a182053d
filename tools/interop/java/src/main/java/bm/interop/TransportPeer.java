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
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.client.TransportClientFactory;
import org.apache.spark.network.server.NoOpRpcHandler;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;

/**
 * Spark's own transport as a process that is driven by JSON lines on standard input and answers with
 * JSON lines on standard output. The first line in is `{"file": PATH}`, the first line out says that
 * it is ready. Then every command `{"id", "op", ...}` gets an answer `{"id", ...}` with the result or
 * `error`; many may run at once. The end of input ends the process. The commands are those of
 * ../../../../../../src/pairing/transport-peer-process.ts.
 */
public final class TransportPeer {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final File file;
  private final AtomicInteger lastHandle = new AtomicInteger();
  private final Map<String, TransportClientFactory> factories = new ConcurrentHashMap<>();
  private final Map<Integer, PeerServer> servers = new ConcurrentHashMap<>();
  private final Map<Integer, PeerConnection> connections = new ConcurrentHashMap<>();
  private final Map<Integer, PeerBatch> batches = new ConcurrentHashMap<>();

  private TransportPeer(File file) {
    this.file = file;
  }

  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    TransportPeer peer = new TransportPeer(new File(JSON.readTree(in.readLine()).path("file").asText()));
    ExecutorService threads = Executors.newCachedThreadPool();
    say(JSON.createObjectNode().put("ready", true));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JsonNode command = JSON.readTree(line);
      threads.execute(() -> say(peer.answer(command)));
    }
    System.exit(0);
  }

  private static void say(ObjectNode line) {
    synchronized (System.out) {
      System.out.println(line);
      System.out.flush();
    }
  }

  private ObjectNode answer(JsonNode command) {
    ObjectNode answer = JSON.createObjectNode().put("id", command.path("id").asInt());
    try {
      run(command, answer);
    } catch (Throwable error) {
      answer.put("error", String.valueOf(error));
    }
    return answer;
  }

  private void run(JsonNode command, ObjectNode answer) throws Exception {
    PeerServer server = servers.get(command.path("server").asInt());
    PeerConnection connection = connections.get(command.path("client").asInt());
    switch (command.path("op").asText()) {
      case "listen" -> listen(command, answer);
      case "connect" -> connect(command, answer);
      case "begin" -> answer.put("batch", kept(batches, connection.begin(command.path("requests"))));
      case "outcomes" -> outcomes(command, answer);
      case "open" ->
          answer.put("streamId",
              connection.open(command.path("count").asInt(), command.path("size").asInt()));
      case "read" -> {
        boolean isReading = command.path("isReading").asBoolean();
        if (server == null) PeerConnection.read(connection.client, isReading);
        else server.read(isReading);
      }
      case "isActive" -> answer.put("isActive", connection.client.isActive());
      case "disconnect" -> connection.client.close();
      case "server" -> server.write(answer);
      case "cut" -> server.cut();
      case "release" -> server.release();
      case "unlisten" -> server.close();
      case "memory" -> answer.put("bytes", ResidentMemory.now());
      default -> throw new IllegalArgumentException("unknown op " + command);
    }
  }

  private void listen(JsonNode command, ObjectNode answer) {
    boolean isOneForOne = command.path("isOneForOne").asBoolean();
    var server = new PeerServer(conf(command), file, command.path("closesIdle").asBoolean(), isOneForOne);
    answer.put("server", kept(servers, server)).put("port", server.port());
  }

  private void connect(JsonNode command, ObjectNode answer) throws Exception {
    TransportConf conf = conf(command);
    int port = command.path("port").asInt();
    var client = factory(command, conf).createUnmanagedClient("127.0.0.1", port);
    answer.put("client", kept(connections, new PeerConnection(client, conf, file)));
  }

  /** One for all connections of a kind: each has threads of its own. */
  private TransportClientFactory factory(JsonNode command, TransportConf conf) {
    boolean closesIdle = command.path("closesIdle").asBoolean();
    String kind = command.path("conf") + " " + closesIdle;
    return factories.computeIfAbsent(kind, key ->
        new TransportContext(conf, new NoOpRpcHandler(), closesIdle, true).createClientFactory());
  }

  private void outcomes(JsonNode command, ObjectNode answer) throws Exception {
    PeerBatch batch = batches.get(command.path("batch").asInt());
    if (command.path("isAwaited").asBoolean()) batch.await();
    batch.write(answer);
  }

  private <T> int kept(Map<Integer, T> things, T thing) {
    int handle = lastHandle.incrementAndGet();
    things.put(handle, thing);
    return handle;
  }

  private static TransportConf conf(JsonNode command) {
    Map<String, String> values = new HashMap<>();
    command.path("conf").fields().forEachRemaining(e -> values.put(e.getKey(), e.getValue().asText()));
    return new TransportConf("shuffle", new MapConfigProvider(values));
  }
}
