package bm.interop;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.apache.spark.network.client.TransportClient;

/** Keeps the windows of some connections full until time or count is up. */
final class BenchLoad {
  private static final long LIMIT_SECONDS = 120;

  final BenchWorkload workload;
  private final List<BenchLane> lanes = new ArrayList<>();
  private final AtomicInteger lanesAtWork = new AtomicInteger();
  private final CompletableFuture<Void> end = new CompletableFuture<>();
  private final LongAdder answers = new LongAdder();
  private final boolean isCounted;
  private long startedNanos;
  private long endedNanos;

  BenchLoad(List<TransportClient> clients, BenchWorkload workload) {
    this.workload = workload;
    this.isCounted = workload.operationsMax < Integer.MAX_VALUE;
    for (TransportClient client : clients) lanes.add(new BenchLane(this, client));
  }

  void run() throws Exception {
    lanesAtWork.set(lanes.size());
    startedNanos = System.nanoTime();
    for (BenchLane lane : lanes) lane.start();
    end.get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  double seconds() {
    return (endedNanos - startedNanos) / 1e9;
  }

  double perSecond() {
    return operations() / seconds();
  }

  long operations() {
    return lanes.stream().mapToLong(lane -> lane.operations).sum();
  }

  void report(ObjectNode line) {
    long[] sorted = lanes.stream().flatMapToLong(lane -> Arrays.stream(lane.samples())).toArray();
    Arrays.sort(sorted);
    line.put("operations", operations());
    line.put("bytes", lanes.stream().mapToLong(lane -> lane.bytes).sum());
    line.put("seconds", seconds());
    line.put("p50Us", percentile(sorted, 0.5));
    line.put("p99Us", percentile(sorted, 0.99));
  }

  static double percentile(long[] sorted, double share) {
    if (sorted.length == 0) return 0;
    return sorted[Math.min(sorted.length - 1, (int) (sorted.length * share))] / 1e3;
  }

  /** Counts an answer; false when no more requests are to be made. */
  boolean goesOn(long nowNanos) {
    answers.increment();
    boolean isTimeUp = nowNanos - startedNanos >= workload.nanos;
    // Adding up is only needed near the ends.
    if (!isTimeUp && !isCounted) return true;
    long count = answers.sum();
    return count < workload.operationsMax && (!isTimeUp || count < workload.operationsMin);
  }

  void laneEnded() {
    if (lanesAtWork.decrementAndGet() > 0) return;
    endedNanos = System.nanoTime();
    end.complete(null);
  }

  void fail(Throwable error) {
    end.completeExceptionally(error);
  }
}
