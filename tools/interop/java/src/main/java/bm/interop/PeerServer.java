package bm.interop;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.util.List;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.server.TransportServer;
import org.apache.spark.network.util.TransportConf;

/** One server of the peer, and what can be seen of it and done to it. */
final class PeerServer {
  private final ScriptedHandler handler;
  private final TransportServer server;

  PeerServer(TransportConf conf, File file, boolean closesIdle, boolean isOneForOne) {
    handler = new ScriptedHandler(conf, file, isOneForOne);
    server = new TransportContext(conf, handler, closesIdle).createServer("127.0.0.1", 0, List.of());
  }

  int port() {
    return server.getPort();
  }

  void write(ObjectNode answer) {
    answer.put("connections", handler.connections().size());
    answer.put("requests", handler.requests.get());
    answer.put("lookups", handler.lookups.get());
    answer.put("held", handler.heldCount());
    answer.put("oneWayMessages", handler.oneWayMessages.get());
    answer.put("uploadedBytes", handler.uploadedBytes.get());
    answer.put("uploadsBegun", handler.uploadsBegun.get());
    answer.put("uploadsCompleted", handler.uploadsCompleted.get());
    answer.put("uploadsFailed", handler.uploadsFailed.get());
  }

  /** Ends every accepted connection; new ones are still taken. */
  void cut() {
    for (TransportClient client : handler.connections()) client.getChannel().close();
  }

  void read(boolean isReading) {
    for (TransportClient client : handler.connections()) PeerConnection.read(client, isReading);
  }

  void release() {
    handler.release();
  }

  void close() {
    server.close();
  }
}
