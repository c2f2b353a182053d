package bm.cluster;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.FetchFailed;
import org.apache.spark.TaskEndReason;
import org.apache.spark.TaskFailedReason;
import org.apache.spark.executor.ShuffleReadMetrics;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;

/** What Spark's own tasks say that they read, and from where. */
final class ShuffleCounters extends SparkListener {
  private static final int FAILURE_TEXT_MAX = 100_000;
  private static final int FAILURES_MAX = 10;

  private long tasks;
  private long failedTasks;
  private long fetchFailures;
  private long mapTasks;
  private long remoteBytes;
  private long remoteBlocks;
  private long localBytes;
  private long bytesToDisk;
  private String fetchFailureText = "";
  private final List<String> failures = new ArrayList<>();

  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
    tasks += 1;
    if (end.reason() instanceof FetchFailed failed) {
      fetchFailures += 1;
      // One failure brings others: a map that is to run again is missed by who asks for it meanwhile.
      if (fetchFailureText.length() < FAILURE_TEXT_MAX) fetchFailureText += failed.toErrorString() + "\n";
    }
    if (!end.taskInfo().successful()) {
      failedTasks += 1;
      if (failures.size() < FAILURES_MAX) failures.add(end.taskInfo().id() + ": " + textOf(end.reason()));
    }
    if (end.taskType().equals("ShuffleMapTask")) mapTasks += 1;
    if (end.taskMetrics() == null) return;
    ShuffleReadMetrics read = end.taskMetrics().shuffleReadMetrics();
    remoteBytes += read.remoteBytesRead();
    remoteBlocks += read.remoteBlocksFetched();
    localBytes += read.localBytesRead();
    bytesToDisk += read.remoteBytesReadToDisk();
  }

  private static String textOf(TaskEndReason reason) {
    return reason instanceof TaskFailedReason failed ? failed.toErrorString() : reason.toString();
  }

  synchronized long mapTasks() {
    return mapTasks;
  }

  /** What the tasks said that could not read their input. */
  synchronized String fetchFailureText() {
    return fetchFailureText;
  }

  synchronized Map<String, Object> snapshot() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("tasks", tasks);
    values.put("failedTasks", failedTasks);
    values.put("fetchFailures", fetchFailures);
    values.put("failures", List.copyOf(failures));
    values.put("remoteBytes", remoteBytes);
    values.put("remoteBlocks", remoteBlocks);
    values.put("localBytes", localBytes);
    values.put("bytesToDisk", bytesToDisk);
    return values;
  }
}
