package bm.cluster;

import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Constructor;
import java.util.Arrays;
import org.apache.spark.MapOutputTracker$;
import org.apache.spark.SparkConf;
import org.apache.spark.scheduler.CompressedMapStatus;
import org.apache.spark.scheduler.MapStatus;
import org.apache.spark.scheduler.ShuffleOutputStatus;
import org.apache.spark.storage.BlockManagerId;
import org.apache.spark.storage.BlockManagerId$;
import scala.Option;

/**
 * Map statuses through Spark's own tracker: {@code MapStatusBench <maps> <partitions> <places>}. A line
 * {@code {"pid"}} first, then for each line of input one with the milliseconds and bytes of a round.
 */
public final class MapStatusBench {
  private static final Constructor<?> CONSTRUCTOR = constructorOfCodes();

  private MapStatusBench() {}

  public static void main(String[] args) throws Exception {
    int maps = Integer.parseInt(args[0]);
    int partitions = Integer.parseInt(args[1]);
    int places = Integer.parseInt(args[2]);
    SparkConf conf = new SparkConf(false);
    MapStatus[] statuses = statuses(maps, partitions, places);
    System.out.println("{\"pid\":" + ProcessHandle.current().pid() + "}");
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    while (input.readLine() != null) System.out.println(round(statuses, conf));
  }

  private static String round(MapStatus[] statuses, SparkConf conf) {
    long cpu = processorNanos();
    long start = System.nanoTime();
    // Nothing is broadcast: all of it is in the bytes.
    byte[] bytes =
        MapOutputTracker$.MODULE$
            .serializeOutputStatuses(statuses, null, false, Integer.MAX_VALUE, conf)
            ._1();
    long serialised = System.nanoTime();
    Object[] read = (Object[]) (Object) MapOutputTracker$.MODULE$.deserializeOutputStatuses(bytes, conf);
    long end = System.nanoTime();
    long cpuNanos = processorNanos() - cpu;
    check(statuses, read);
    return String.format(
        "{\"serializeMs\":%.3f,\"deserializeMs\":%.3f,\"cpuMs\":%.3f,\"bytes\":%d}",
        (serialised - start) / 1e6, (end - serialised) / 1e6, cpuNanos / 1e6, bytes.length);
  }

  /** Of all threads, the collector's and the compiler's too. */
  private static long processorNanos() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  private static void check(MapStatus[] statuses, Object[] read) {
    int last = statuses.length - 1;
    MapStatus status = (MapStatus) read[last];
    boolean isSame =
        read.length == statuses.length
            && status.mapId() == statuses[last].mapId()
            && status.getSizeForBlock(0) == statuses[last].getSizeForBlock(0)
            && status instanceof ShuffleOutputStatus;
    if (!isSame) throw new IllegalStateException("other statuses came back");
  }

  private static MapStatus[] statuses(int maps, int partitions, int places) {
    BlockManagerId[] ids = new BlockManagerId[places];
    Arrays.setAll(
        ids,
        place ->
            BlockManagerId$.MODULE$.apply(
                String.valueOf(place), "host-" + place, 7000 + place, Option.empty()));
    MapStatus[] statuses = new MapStatus[maps];
    int state = 1;
    for (int map = 0; map < maps; map++) {
      byte[] codes = new byte[partitions];
      for (int partition = 0; partition < partitions; partition++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        codes[partition] = (byte) (100 + (state & 15));
      }
      statuses[map] = status(ids[map % places], codes, 1_000_000L + map);
    }
    return statuses;
  }

  /** From 4.1 on Spark keeps a checksum too. */
  private static MapStatus status(BlockManagerId place, byte[] codes, long mapId) {
    try {
      return (MapStatus)
          (CONSTRUCTOR.getParameterCount() == 3
              ? CONSTRUCTOR.newInstance(place, codes, mapId)
              : CONSTRUCTOR.newInstance(place, codes, mapId, 0L));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Constructor<?> constructorOfCodes() {
    return Arrays.stream(CompressedMapStatus.class.getConstructors())
        .filter(made -> made.getParameterCount() >= 3 && made.getParameterTypes()[1] == byte[].class)
        .findFirst()
        .orElseThrow();
  }
}
