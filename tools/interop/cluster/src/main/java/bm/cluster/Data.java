package bm.cluster;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import scala.Tuple2;

/** Input that every run makes alike, whatever process makes it. */
final class Data {
  private Data() {}

  /** Numbers 0 to rows - 1, dealt to partitions in ranges. */
  static JavaRDD<Integer> numbers(JavaSparkContext context, int rows, int partitions) {
    List<Integer> starts = new ArrayList<>();
    for (int partition = 0; partition < partitions; partition += 1) starts.add(partition);
    return context
        .parallelize(starts, partitions)
        .flatMap(partition -> range(bound(rows, partition, partitions), bound(rows, partition + 1, partitions)));
  }

  /** Pairs of a key out of keys and a value that no compression makes vanish. */
  static JavaPairRDD<Integer, String> pairs(JavaSparkContext context, int rows, int keys, int partitions) {
    return numbers(context, rows, partitions)
        .mapToPair(row -> new Tuple2<>(Math.floorMod(mix(row), keys), value(row)));
  }

  /** A word out of about a thousand; low numbers are much more frequent, as in a language. */
  static String word(int row) {
    int spread = Math.floorMod(mix(row), 1000);
    return "w" + spread * spread / 1000;
  }

  /** 32 letters that depend on the row alone. */
  static String value(int row) {
    return Long.toHexString(mixLong(row)) + Long.toHexString(mixLong(row ^ 0x5555));
  }

  static int mix(int row) {
    return (int) (mixLong(row) >>> 32);
  }

  private static long mixLong(int row) {
    long mixed = (row + 1) * 0x9E3779B97F4A7C15L;
    mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
    return mixed ^ (mixed >>> 27);
  }

  private static int bound(int rows, int partition, int partitions) {
    return (int) ((long) rows * partition / partitions);
  }

  private static Iterator<Integer> range(int from, int to) {
    return java.util.stream.IntStream.range(from, to).iterator();
  }
}
