package bm.interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.client.ChunkReceivedCallback;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.client.TransportClientFactory;
import org.apache.spark.network.util.TransportConf;

/**
 * The benchmark's client on Spark's transport: `--host H --port P`. Reads a workload from each line of
 * input and writes its outcome, or `{"error"}`, as a line; the first line out is `{"pid"}`.
 */
public final class BenchClient {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int TIMEOUT_MS = 60_000;
  private static final int REHEARSAL_CONNECTIONS = 200;
  private static final int SETTLE_MS = 500;
  /** The first connection to a stopped reader asks for its window so many times over. */
  private static final int STOPPED_WINDOWS = 16;

  private final TransportClientFactory factory;
  private final String host;
  private final int port;

  private BenchClient(TransportClientFactory factory, String host, int port) {
    this.factory = factory;
    this.host = host;
    this.port = port;
  }

  public static void main(String[] args) throws Exception {
    BenchOptions options = new BenchOptions(args);
    TransportConf conf = BenchOptions.conf();
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (TransportContext context =
            new TransportContext(conf, new PeerHandler(conf, new File("none")), false);
        TransportClientFactory factory = context.createClientFactory()) {
      BenchClient client = new BenchClient(factory, options.get("--host"), options.port());
      say(JSON.createObjectNode().put("pid", ProcessHandle.current().pid()));
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        say(client.answer(JSON.readTree(line)));
      }
    }
    System.exit(0);
  }

  private static void say(ObjectNode line) {
    System.out.println(line);
    System.out.flush();
  }

  private ObjectNode answer(JsonNode line) {
    ObjectNode outcome = JSON.createObjectNode();
    try {
      TransportClient control = connect();
      perform(new BenchWorkload(line), control, outcome);
      control.close();
      return outcome;
    } catch (Throwable error) {
      return JSON.createObjectNode().put("error", String.valueOf(error));
    }
  }

  private void perform(BenchWorkload workload, TransportClient control, ObjectNode outcome)
      throws Exception {
    for (String name : List.of("serverBytesPerUnit", "clientBytesPerUnit", "keptShare")) {
      outcome.put(name, 0);
    }
    outcome.put("p50Us", 0).put("p99Us", 0);
    JsonNode before = counters(control);
    double cpu = cpuSeconds();
    switch (workload.kind) {
      case "connect" -> connectRepeatedly(workload, outcome);
      case "idle" -> holdIdle(workload, control, outcome);
      case "slow-reader" -> readBesideStopped(workload, control, outcome);
      case "stopped-readers" -> stopReading(workload, control, outcome);
      default -> performLoad(workload, control, outcome);
    }
    double clientCpu = cpuSeconds() - cpu;
    JsonNode after = counters(control);
    double serverCpu = after.get("cpuSeconds").asDouble() - before.get("cpuSeconds").asDouble();
    if (!outcome.has("clientCpuSeconds")) outcome.put("clientCpuSeconds", clientCpu);
    if (!outcome.has("serverCpuSeconds")) outcome.put("serverCpuSeconds", serverCpu);
    outcome.put("clientPeakBytes", ResidentMemory.bytes());
    long peak = memoryOf(workload.serverPid, "VmHWM:");
    outcome.put("serverPeakBytes", peak > 0 ? peak : after.get("residentBytes").asLong());
  }

  private void performLoad(BenchWorkload workload, TransportClient control, ObjectNode outcome)
      throws Exception {
    List<TransportClient> clients = open(workload.connections);
    load(clients, workload, control, outcome);
    closeAll(clients);
  }

  private BenchLoad load(
      List<TransportClient> clients,
      BenchWorkload workload,
      TransportClient control,
      ObjectNode outcome)
      throws Exception {
    BenchLoad load = new BenchLoad(clients, workload);
    double serverCpu = counters(control).get("cpuSeconds").asDouble();
    double cpu = cpuSeconds();
    load.run();
    outcome.put("clientCpuSeconds", cpuSeconds() - cpu);
    double after = counters(control).get("cpuSeconds").asDouble();
    outcome.put("serverCpuSeconds", after - serverCpu);
    load.report(outcome);
    return load;
  }

  private void connectRepeatedly(BenchWorkload workload, ObjectNode outcome) throws Exception {
    ExecutorService callers = Executors.newFixedThreadPool(workload.connections);
    AtomicLong begun = new AtomicLong();
    long started = System.nanoTime();
    List<Future<List<Long>>> results = new ArrayList<>();
    for (int i = 0; i < workload.connections; i++) {
      results.add(callers.submit(() -> connectUntilDone(workload, started, begun)));
    }
    List<Long> times = new ArrayList<>();
    for (Future<List<Long>> result : results) times.addAll(result.get());
    double seconds = (System.nanoTime() - started) / 1e9;
    callers.shutdown();
    long[] sorted = times.stream().mapToLong(Long::longValue).sorted().toArray();
    outcome.put("operations", sorted.length).put("seconds", seconds);
    outcome.put("bytes", sorted.length * (long) (workload.requestBytes + workload.replyBytes));
    outcome.put("p50Us", BenchLoad.percentile(sorted, 0.5));
    outcome.put("p99Us", BenchLoad.percentile(sorted, 0.99));
  }

  private List<Long> connectUntilDone(BenchWorkload workload, long started, AtomicLong begun)
      throws Exception {
    List<Long> times = new ArrayList<>();
    for (; ; ) {
      long now = System.nanoTime();
      boolean isTimeUp = now - started >= workload.nanos;
      if (isTimeUp && begun.get() >= workload.operationsMin) return times;
      if (begun.getAndIncrement() >= workload.operationsMax) return times;
      TransportClient client = connect();
      workload.check(client.sendRpcSync(workload.request(), TIMEOUT_MS), 0, false);
      times.add(System.nanoTime() - now);
      client.getChannel().close().sync();
    }
  }

  private void holdIdle(BenchWorkload workload, TransportClient control, ObjectNode outcome)
      throws Exception {
    closeAll(open(REHEARSAL_CONNECTIONS));
    long[] before = memory(workload, control);
    long started = System.nanoTime();
    List<TransportClient> clients = open(workload.connections);
    outcome.put("seconds", (System.nanoTime() - started) / 1e9);
    putGrowth(outcome, before, memory(workload, control), clients.size());
    closeAll(clients);
    outcome.put("operations", clients.size()).put("bytes", 0);
  }

  private void readBesideStopped(
      BenchWorkload workload, TransportClient control, ObjectNode outcome) throws Exception {
    List<TransportClient> active = open(workload.connections);
    TransportClient stopped = connect();
    double before = load(active, workload, control, JSON.createObjectNode()).perSecond();
    Answers answers = requestAndStop(stopped, workload, workload.window * STOPPED_WINDOWS);
    double beside = load(active, workload, control, outcome).perSecond();
    stopped.getChannel().config().setAutoRead(true);
    answers.await();
    double after = load(active, workload, control, JSON.createObjectNode()).perSecond();
    outcome.put("keptShare", beside / ((before + after) / 2));
    closeAll(active);
    stopped.close();
  }

  private void stopReading(BenchWorkload workload, TransportClient control, ObjectNode outcome)
      throws Exception {
    List<TransportClient> clients = open(workload.connections);
    long[] before = memory(workload, control);
    List<Answers> answers = new ArrayList<>();
    for (TransportClient client : clients) {
      answers.add(requestAndStop(client, workload, workload.window));
    }
    TimeUnit.NANOSECONDS.sleep(workload.nanos);
    putGrowth(outcome, before, memory(workload, control), clients.size());
    long started = System.nanoTime();
    for (TransportClient client : clients) client.getChannel().config().setAutoRead(true);
    for (Answers one : answers) one.await();
    outcome.put("seconds", (System.nanoTime() - started) / 1e9);
    long operations = clients.size() * (long) workload.window;
    outcome.put("operations", operations).put("bytes", operations * workload.chunkBytes[0]);
    closeAll(clients);
  }

  /** Counts the answers to a fixed number of requests. */
  private static final class Answers implements ChunkReceivedCallback {
    private final CountDownLatch missing;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    Answers(int count) {
      missing = new CountDownLatch(count);
    }

    @Override
    public void onSuccess(int chunkIndex, ManagedBuffer buffer) {
      missing.countDown();
    }

    @Override
    public void onFailure(int chunkIndex, Throwable error) {
      failure.compareAndSet(null, error);
      missing.countDown();
    }

    void await() throws Exception {
      if (!missing.await(TIMEOUT_MS, TimeUnit.MILLISECONDS)) throw new Exception("no answer in time");
      if (failure.get() != null) throw new Exception(failure.get());
    }
  }

  private static Answers requestAndStop(TransportClient client, BenchWorkload workload, int count) {
    client.getChannel().config().setAutoRead(false);
    Answers answers = new Answers(count);
    for (int i = 0; i < count; i++) client.fetchChunk(workload.streamIdAt(i), i, answers);
    return answers;
  }

  private TransportClient connect() throws Exception {
    return factory.createUnmanagedClient(host, port);
  }

  private List<TransportClient> open(int count) throws Exception {
    List<TransportClient> clients = new ArrayList<>();
    while (clients.size() < count) clients.add(connect());
    return clients;
  }

  private static void closeAll(List<TransportClient> clients) throws Exception {
    for (TransportClient client : clients) client.getChannel().close().sync();
  }

  private static JsonNode counters(TransportClient control) throws Exception {
    ByteBuffer request = ByteBuffer.allocate(4).putInt(0, PeerHandler.COUNTERS);
    ByteBuffer answer = control.sendRpcSync(request, TIMEOUT_MS);
    byte[] json = new byte[answer.remaining()];
    answer.get(json);
    return JSON.readTree(json);
  }

  private static double cpuSeconds() {
    var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return os.getProcessCpuTime() / 1e9;
  }

  private static void putGrowth(ObjectNode outcome, long[] before, long[] after, int units) {
    outcome.put("serverBytesPerUnit", (after[0] - before[0]) / (double) units);
    outcome.put("clientBytesPerUnit", (after[1] - before[1]) / (double) units);
  }

  /** Resident bytes of the server and of this process once they have come to rest. */
  private static long[] memory(BenchWorkload workload, TransportClient control) throws Exception {
    Thread.sleep(SETTLE_MS);
    long server = memoryOf(workload.serverPid, "VmRSS:");
    if (server == 0) server = counters(control).get("residentBytes").asLong();
    return new long[] {server, memoryOf(ProcessHandle.current().pid(), "VmRSS:")};
  }

  private static long memoryOf(long pid, String field) {
    try {
      return Files.readAllLines(Path.of("/proc", Long.toString(pid), "status")).stream()
          .filter(line -> line.startsWith(field))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
          .findFirst()
          .orElse(0);
    } catch (Exception e) {
      return 0;
    }
  }
}
