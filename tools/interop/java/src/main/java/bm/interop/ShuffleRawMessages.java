package bm.interop;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.network.TransportContext;
import org.apache.spark.network.buffer.NioManagedBuffer;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.TransportClient;
import org.apache.spark.network.client.TransportClientFactory;
import org.apache.spark.network.server.NoOpRpcHandler;
import org.apache.spark.network.util.TransportConf;

/** Messages that no client of a shuffle service sends, byte by byte. */
final class ShuffleRawMessages {
  private static final int LIMIT_SECONDS = 60;

  private final TransportClientFactory factory;

  ShuffleRawMessages(TransportConf conf) {
    factory = new TransportContext(conf, new NoOpRpcHandler(), false, true).createClientFactory();
  }

  /** Asks with these bytes; gives those of the answer, both in hexadecimal. */
  String ask(String host, int port, String hex) throws Exception {
    TransportClient client = factory.createUnmanagedClient(host, port);
    try {
      ByteBuffer message = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
      return hexOf(client.sendRpcSync(message, LIMIT_SECONDS * 1000L));
    } finally {
      client.close();
    }
  }

  /** Uploads `size` bytes behind this header. */
  String upload(String host, int port, String hex, int size) throws Exception {
    TransportClient client = factory.createUnmanagedClient(host, port);
    try {
      var result = new CompletableFuture<String>();
      var header = new NioManagedBuffer(ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
      var data = new NioManagedBuffer(ByteBuffer.allocate(size));
      client.uploadStream(header, data, new RpcResponseCallback() {
        @Override
        public void onSuccess(ByteBuffer response) {
          result.complete(hexOf(response));
        }

        @Override
        public void onFailure(Throwable error) {
          result.completeExceptionally(error);
        }
      });
      return result.get(LIMIT_SECONDS, TimeUnit.SECONDS);
    } finally {
      client.close();
    }
  }

  private static String hexOf(ByteBuffer bytes) {
    byte[] copy = new byte[bytes.remaining()];
    bytes.get(copy);
    return HexFormat.of().formatHex(copy);
  }
}
