package bm.cluster;

import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Queries whose plan adaptive execution changes: small partitions joined, a skewed key split. */
final class SqlJobs {
  private SqlJobs() {}

  static Digest adaptive(JavaSparkContext context) {
    return query(context, true);
  }

  static Digest fixedPlan(JavaSparkContext context) {
    return query(context, false);
  }

  private static Digest query(JavaSparkContext context, boolean isAdaptive) {
    SparkSession session = SparkSession.builder().config(context.getConf()).getOrCreate();
    session.conf().set("spark.sql.adaptive.enabled", isAdaptive);
    session.conf().set("spark.sql.autoBroadcastJoinThreshold", "-1");
    session.conf().set("spark.sql.shuffle.partitions", "20");
    Dataset<Row> orders =
        session.range(0, 20_000, 1, 8).selectExpr("id", "pmod(hash(id), 700) customer", "id % 97 price");
    Dataset<Row> customers =
        session.range(0, 700, 1, 4).selectExpr("id customer", "concat('c', id % 50) region");
    List<Row> rows =
        orders
            .join(customers, "customer")
            .groupBy("region")
            .agg(org.apache.spark.sql.functions.expr("sum(price)"), org.apache.spark.sql.functions.expr("count(*)"))
            .orderBy("region")
            .collectAsList();
    return Digest.ofOrdered(rows.stream().map(Row::toString).toList());
  }
}
