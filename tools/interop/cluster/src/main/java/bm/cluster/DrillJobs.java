package bm.cluster;

import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaSparkContext;
import scala.Tuple2;

/** Jobs to which something bad happens between writing and reading. */
final class DrillJobs {
  private static final int MAPS = 8;
  private static final int REDUCES = 40;
  private static final long REDUCE_MILLIS = 400;

  private DrillJobs() {}

  /** Reduce tasks that take their time: the service can be ended and paused between them. */
  static Digest slowReduce(JavaSparkContext context) {
    long asked = context.getConf().getLong("spark.bm.reduceMillis", REDUCE_MILLIS);
    long millis = context.sc().isLocal() ? 0 : asked;
    return Digest.ofUnordered(counts(context).mapPartitions(rows -> slowly(rows, millis)).collect());
  }

  /**
   * A byte in the middle of a data file is turned over after the executor that wrote it is gone, or it
   * might read the file itself.
   */
  static Digest flippedByte(JavaSparkContext context, ShuffleCounters counters) throws Exception {
    JavaPairRDD<String, Integer> counts = counts(context);
    counts.count();
    ReleasedExecutors.awaitRelease(context);
    if (!context.sc().isLocal()) flipByte(largestDataFile(context));
    List<String> rows = counts.map(DrillJobs::text).collect();
    context.sc().listenerBus().waitUntilEmpty();
    return Digest.ofUnordered(rows).with("fetchFailureText", counters.fetchFailureText());
  }

  /** The directories of executors that are gone are deleted before their files were read. */
  static Digest missingDirectory(JavaSparkContext context) throws Exception {
    JavaPairRDD<String, Integer> counts = counts(context);
    counts.count();
    ReleasedExecutors.awaitRelease(context);
    long deleted = context.sc().isLocal() ? 0 : deleteBlockDirectories(context);
    List<String> rows = counts.map(DrillJobs::text).collect();
    return Digest.ofUnordered(rows).with("directoriesDeleted", deleted);
  }

  private static JavaPairRDD<String, Integer> counts(JavaSparkContext context) {
    return Data.numbers(context, 20_000, MAPS)
        .mapToPair(row -> new Tuple2<>(Data.value(row).substring(0, 3), 1))
        .reduceByKey(Integer::sum, REDUCES);
  }

  private static Iterator<String> slowly(Iterator<Tuple2<String, Integer>> counts, long millis)
      throws Exception {
    Thread.sleep(millis);
    return Stream.iterate(counts, Iterator::hasNext, rest -> rest)
        .map(rest -> text(rest.next()))
        .toList()
        .iterator();
  }

  private static String text(Tuple2<String, Integer> count) {
    return count._1 + "=" + count._2;
  }

  private static Path largestDataFile(JavaSparkContext context) throws Exception {
    Path root = Path.of(context.getConf().get("spark.bm.localDirectory"));
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(file -> file.getFileName().toString().matches("shuffle_0_.*[.]data"))
          .max(Comparator.comparingLong(file -> file.toFile().length()))
          .orElseThrow();
    }
  }

  private static long deleteBlockDirectories(JavaSparkContext context) throws Exception {
    Path root = Path.of(context.getConf().get("spark.bm.localDirectory"));
    List<Path> directories;
    try (Stream<Path> files = Files.walk(root)) {
      directories =
          files
              .filter(file -> file.getFileName().toString().matches("shuffle_0_.*[.]index"))
              .map(file -> file.getParent().getParent())
              .distinct()
              .toList();
    }
    for (Path directory : directories) {
      try (Stream<Path> files = Files.walk(directory)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(file);
      }
    }
    return directories.size();
  }

  private static void flipByte(Path path) throws Exception {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      long middle = file.length() / 2;
      file.seek(middle);
      int value = file.read();
      file.seek(middle);
      file.write(value ^ 0xff);
    }
  }
}
