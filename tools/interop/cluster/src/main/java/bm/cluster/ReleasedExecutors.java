package bm.cluster;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.LongAccumulator;
import scala.Tuple2;

/**
 * Dynamic allocation: writes shuffle files and disk blocks, waits until every executor was
 * released, and reads them on new executors. Only the service can have served them then. At the
 * end the driver asks the service to delete both.
 */
final class ReleasedExecutors {
  private static final int MAPS = 10;
  private static final int REDUCES = 16;
  private static final long WAIT_MILLIS = 120_000;

  private ReleasedExecutors() {}

  static Digest run(JavaSparkContext context, ShuffleCounters counters) throws Exception {
    LongAccumulator computed = context.sc().longAccumulator("rows computed");
    JavaRDD<String> cached =
        Data.numbers(context, 12_000, MAPS)
            .map(row -> valueCounted(row, computed))
            .persist(StorageLevel.DISK_ONLY());
    JavaPairRDD<String, Integer> counts =
        cached.mapToPair(value -> new Tuple2<>(value.substring(0, 3), 1)).reduceByKey(Integer::sum, REDUCES);
    counts.count();
    long mapTasksFirst = settledMapTasks(context, counters);
    long released = awaitRelease(context);

    List<String> rows = counts.map(head -> head._1 + "=" + head._2).collect();
    // One task reads every block, so some of them from the other host.
    List<String> lengths = cached.coalesce(1).map(value -> "length " + value.length()).collect();
    long mapTasksLater = settledMapTasks(context, counters) - mapTasksFirst;
    Digest digest = Digest.ofUnordered(concatenated(rows, lengths));
    digest.with("released", released).with("mapTasksRepeated", mapTasksLater);
    digest.with("rowsComputed", computed.value());

    digest.with("releasedLater", awaitRelease(context));
    if (!context.sc().isLocal()) removeAll(context, cached, digest);
    return digest;
  }

  private static String valueCounted(int row, LongAccumulator computed) {
    computed.add(1);
    return Data.value(row);
  }

  /** How many executors went away; none in local mode, where there is nothing to wait for. */
  static long awaitRelease(JavaSparkContext context) throws Exception {
    long alive = executorsAlive(context);
    long end = System.nanoTime() + WAIT_MILLIS * 1_000_000;
    while (executorsAlive(context) > 0) {
      if (System.nanoTime() > end) throw new IllegalStateException("executors were not released");
      Thread.sleep(50);
    }
    return alive;
  }

  /** The driver is in Spark's list as well. */
  private static long executorsAlive(JavaSparkContext context) {
    return context.sc().statusTracker().getExecutorInfos().length - 1;
  }

  private static long settledMapTasks(JavaSparkContext context, ShuffleCounters counters) throws Exception {
    context.sc().listenerBus().waitUntilEmpty();
    return counters.mapTasks();
  }

  private static void removeAll(JavaSparkContext context, JavaRDD<String> cached, Digest digest) throws Exception {
    digest.with("filesBeforeRemoval", blockFiles(context));
    cached.unpersist(true);
    context.sc().cleaner().get().doCleanupShuffle(0, true);
    digest.with("filesAfterRemoval", blockFiles(context));
  }

  /** Those that Spark asks the service to delete; it never names the files of checksums. */
  private static long blockFiles(JavaSparkContext context) throws Exception {
    Path root = Path.of(context.getConf().get("spark.bm.localDirectory"));
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.matches("rdd_.*|shuffle_0_.*[.](data|index)"))
          .count();
    }
  }

  private static List<String> concatenated(List<String> first, List<String> second) {
    return Stream.concat(first.stream(), second.stream()).toList();
  }
}
