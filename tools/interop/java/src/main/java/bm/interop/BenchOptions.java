package bm.interop;

import io.netty.channel.epoll.Epoll;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.network.util.MapConfigProvider;
import org.apache.spark.network.util.TransportConf;

/** Command line of the benchmark's halves, and the configuration under which Spark runs in it. */
final class BenchOptions {
  private final List<String> args;

  BenchOptions(String[] args) {
    this.args = List.of(args);
  }

  boolean has(String name) {
    return args.contains(name);
  }

  String get(String name) {
    int at = args.indexOf(name);
    if (at < 0 || at + 1 >= args.size()) throw new IllegalArgumentException(name + " is missing");
    return args.get(at + 1);
  }

  int port() {
    return Integer.parseInt(get("--port"));
  }

  /** As in Spark's own benchmark: the native event loop where there is one, four threads a side. */
  static TransportConf conf() {
    Map<String, String> values = new HashMap<>();
    values.put("spark.shuffle.io.mode", Epoll.isAvailable() ? "EPOLL" : "NIO");
    values.put("spark.shuffle.io.serverThreads", "4");
    values.put("spark.shuffle.io.clientThreads", "4");
    return new TransportConf("shuffle", new MapConfigProvider(values));
  }
}
