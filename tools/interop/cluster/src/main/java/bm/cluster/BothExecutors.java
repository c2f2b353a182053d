package bm.cluster;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * Two tasks that end when both have begun. An executor here runs one task at a time, so both of them
 * work after this. Spark alone promises less: it starts a job when its patience ends, and asks for
 * no second executor while the first one gets through short tasks quickly.
 */
final class BothExecutors {
  private static final long WAIT_MILLIS = 240_000;
  private static final long PAUSE_MILLIS = 20;

  private BothExecutors() {}

  static void meet(JavaSparkContext context) throws Exception {
    if (context.sc().isLocal()) return;
    Path root = Path.of(context.getConf().get("spark.bm.localDirectory"));
    String place = root.resolve("meeting-" + UUID.randomUUID()).toString();
    Files.createDirectory(Path.of(place));
    context.parallelize(List.of(0, 1), 2).foreach(task -> await(Path.of(place), task));
  }

  private static void await(Path place, int task) throws Exception {
    Files.write(place.resolve(String.valueOf(task)), new byte[0]);
    Path other = place.resolve(String.valueOf(1 - task));
    long end = System.nanoTime() + WAIT_MILLIS * 1_000_000;
    while (Files.notExists(other)) {
      if (System.nanoTime() > end) throw new IllegalStateException("there is only one executor");
      Thread.sleep(PAUSE_MILLIS);
    }
  }
}
