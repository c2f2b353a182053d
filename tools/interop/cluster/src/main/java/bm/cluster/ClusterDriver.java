package bm.cluster;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;

/**
 * The driver of every application. A line of JSON on standard input names a configuration and
 * jobs; they run as one application, and a line on standard output gives results and counters.
 */
public final class ClusterDriver {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ClusterDriver() {}

  public static void main(String[] arguments) throws Exception {
    // What libraries print must not land between the answers.
    PrintStream answers = System.out;
    System.setOut(System.err);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      ObjectNode answer = answer(JSON.readTree(line));
      answers.println(JSON.writeValueAsString(answer));
      answers.flush();
    }
    System.exit(0);
  }

  private static ObjectNode answer(JsonNode request) {
    ObjectNode answer = JSON.createObjectNode().put("id", request.get("id").asInt());
    try {
      answer.setAll((ObjectNode) JSON.valueToTree(run(request)));
    } catch (Exception error) {
      error.printStackTrace();
      answer.put("error", error.toString());
    }
    return answer;
  }

  private static Map<String, Object> run(JsonNode request) throws Exception {
    SparkConf conf = new SparkConf();
    for (var entry : request.get("conf").properties()) conf.set(entry.getKey(), entry.getValue().asText());
    ShuffleCounters counters = new ShuffleCounters();
    Map<String, Object> answer = new LinkedHashMap<>();
    Map<String, Digest> results = new LinkedHashMap<>();
    try (JavaSparkContext context = new JavaSparkContext(conf)) {
      context.sc().addSparkListener(counters);
      answer.put("applicationId", context.sc().applicationId());
      BothExecutors.meet(context);
      for (JsonNode job : request.get("jobs")) results.put(job.asText(), job(job.asText(), context, counters));
      context.sc().listenerBus().waitUntilEmpty();
    } finally {
      SparkSession.clearActiveSession();
      SparkSession.clearDefaultSession();
    }
    answer.put("results", results);
    answer.put("counters", counters.snapshot());
    return answer;
  }

  private static Digest job(String name, JavaSparkContext context, ShuffleCounters counters) throws Exception {
    return switch (name) {
      case "wordCount" -> RddJobs.wordCount(context);
      case "sort" -> RddJobs.sort(context);
      case "join" -> RddJobs.join(context);
      case "groupBy" -> RddJobs.groupBy(context);
      case "repartition" -> RddJobs.repartition(context);
      case "cachedRdd" -> RddJobs.cachedRdd(context);
      case "sqlAdaptive" -> SqlJobs.adaptive(context);
      case "sqlFixedPlan" -> SqlJobs.fixedPlan(context);
      case "releasedExecutors" -> ReleasedExecutors.run(context, counters);
      case "slowReduce" -> DrillJobs.slowReduce(context);
      case "missingDirectory" -> DrillJobs.missingDirectory(context);
      case "flippedByte" -> DrillJobs.flippedByte(context, counters);
      default -> throw new IllegalArgumentException("no job is called " + name);
    };
  }
}
