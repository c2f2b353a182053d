package bm.cluster;

import java.util.List;
import java.util.stream.StreamSupport;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.storage.StorageLevel;
import scala.Tuple2;

/** The classic jobs, with many more partitions than cores. */
final class RddJobs {
  private static final int MAPS = 12;
  private static final int REDUCES = 24;

  private RddJobs() {}

  static Digest wordCount(JavaSparkContext context) {
    return Digest.ofUnordered(
        Data.numbers(context, 60_000, MAPS)
            .mapToPair(row -> new Tuple2<>(Data.word(row), 1))
            .reduceByKey(Integer::sum, REDUCES)
            .map(count -> count._1 + "=" + count._2)
            .collect());
  }

  static Digest sort(JavaSparkContext context) {
    return Digest.ofOrdered(
        Data.numbers(context, 40_000, MAPS)
            .mapToPair(row -> new Tuple2<>(Data.value(row), row))
            .sortByKey(true, REDUCES)
            .map(pair -> pair._1 + "=" + pair._2)
            .collect());
  }

  static Digest join(JavaSparkContext context) {
    JavaPairRDD<Integer, String> left = Data.pairs(context, 8_000, 3_000, MAPS);
    JavaPairRDD<Integer, String> right =
        Data.pairs(context, 6_000, 3_000, MAPS).mapValues(value -> value.substring(4));
    return Digest.ofUnordered(
        left.join(right, REDUCES)
            .map(row -> row._1 + "=" + row._2._1 + "," + row._2._2)
            .collect());
  }

  static Digest groupBy(JavaSparkContext context) {
    return Digest.ofUnordered(
        Data.pairs(context, 20_000, 500, MAPS).groupByKey(REDUCES).map(RddJobs::groupText).collect());
  }

  /** 40 maps by 60 reduces of small blocks: 2,400 blocks. */
  static Digest repartition(JavaSparkContext context) {
    JavaRDD<Integer> spread = Data.numbers(context, 30_000, 40).repartition(60);
    return Digest.ofUnordered(spread.map(Data::value).collect());
  }

  /** Blocks that live on disk; a second shuffle reads them again. */
  static Digest cachedRdd(JavaSparkContext context) {
    JavaRDD<String> cached =
        Data.numbers(context, 20_000, MAPS).map(Data::value).persist(StorageLevel.DISK_ONLY());
    long rows = cached.count();
    List<String> heads =
        cached
            .mapToPair(value -> new Tuple2<>(value.substring(0, 2), 1))
            .reduceByKey(Integer::sum, REDUCES)
            .map(head -> head._1 + "=" + head._2 + " of " + rows)
            .collect();
    cached.unpersist(true);
    return Digest.ofUnordered(heads);
  }

  private static String groupText(Tuple2<Integer, Iterable<String>> group) {
    List<String> values =
        StreamSupport.stream(group._2.spliterator(), false).sorted().toList();
    return group._1 + "=" + String.join(",", values);
  }
}
