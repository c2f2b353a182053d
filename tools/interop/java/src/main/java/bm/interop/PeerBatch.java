package bm.interop;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Notes every call of every callback: a request that is told twice shows both. */
final class PeerBatch {
  private static final long LIMIT_MILLIS = 120_000;

  private final List<String> outcomes = new ArrayList<>();
  private int waiting;
  private long bytes;

  /** The number of a new request. */
  synchronized int add() {
    outcomes.add("");
    waiting += 1;
    return outcomes.size() - 1;
  }

  synchronized void succeeded(int request, long length) {
    bytes += length;
    told(request, PeerOutcome.OK);
  }

  synchronized void failed(int request, Throwable error) {
    told(request, PeerOutcome.of(error));
  }

  private void told(int request, String outcome) {
    String before = outcomes.get(request);
    if (before.isEmpty()) waiting -= 1;
    outcomes.set(request, before.isEmpty() ? outcome : before + "," + outcome);
    notifyAll();
  }

  /** Returns when every request was told something, or late. */
  synchronized void await() throws InterruptedException {
    long end = System.currentTimeMillis() + LIMIT_MILLIS;
    while (waiting > 0 && System.currentTimeMillis() < end) wait(100);
  }

  /** How many requests had each outcome; those that wait have `pending`. */
  synchronized void write(ObjectNode answer) {
    Map<String, Integer> counts = new TreeMap<>();
    for (String outcome : outcomes) counts.merge(outcome.isEmpty() ? "pending" : outcome, 1, Integer::sum);
    ObjectNode told = answer.put("bytes", bytes).putObject("outcomes");
    counts.forEach(told::put);
  }
}
