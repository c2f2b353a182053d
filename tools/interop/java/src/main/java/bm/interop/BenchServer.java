package bm.interop;

import java.io.File;
import java.util.List;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.server.TransportServer;
import org.apache.spark.network.util.TransportConf;

/**
 * The benchmark's server on Spark's transport: `--host H --port P --files DIR [--until-input-ends]`.
 * Serves the contract of PeerHandler; DIR/region is the file region. Writes `{"port", "pid"}`.
 */
public final class BenchServer {
  public static void main(String[] args) throws Exception {
    BenchOptions options = new BenchOptions(args);
    TransportConf conf = BenchOptions.conf();
    PeerHandler handler = new PeerHandler(conf, new File(options.get("--files"), "region"));
    try (TransportContext context = new TransportContext(conf, handler, false);
        TransportServer server =
            context.createServer(options.get("--host"), options.port(), List.of())) {
      long pid = ProcessHandle.current().pid();
      System.out.printf("{\"port\":%d,\"pid\":%d}%n", server.getPort(), pid);
      System.out.flush();
      if (options.has("--until-input-ends")) {
        while (System.in.read() >= 0) continue;
      } else {
        Thread.currentThread().join();
      }
    }
    System.exit(0);
  }
}
