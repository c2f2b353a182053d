package bm.interop;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.shuffle.BlockFetchingListener;
import org.apache.spark.network.shuffle.BlockPushingListener;

/** Notes what became of each block: its bytes in base64, or `!` and the text of its failure. */
final class ShuffleBlockOutcomes implements BlockFetchingListener, BlockPushingListener {
  private final Map<String, String> outcomes = new ConcurrentHashMap<>();
  private final CountDownLatch pending;

  ShuffleBlockOutcomes(int count) {
    pending = new CountDownLatch(count);
  }

  /** Waits for every block. */
  void write(ObjectNode answer) throws Exception {
    if (!pending.await(60, TimeUnit.SECONDS)) throw new IOException("no answer in time");
    outcomes.forEach(answer::put);
  }

  @Override
  public void onBlockFetchSuccess(String id, ManagedBuffer data) {
    try {
      byte[] bytes = new byte[(int) data.size()];
      data.nioByteBuffer().get(bytes);
      told(id, Base64.getEncoder().encodeToString(bytes));
    } catch (IOException error) {
      told(id, "!" + ShuffleServicePeer.textOf(error));
    }
  }

  @Override
  public void onBlockFetchFailure(String id, Throwable error) {
    told(id, "!" + ShuffleServicePeer.textOf(error));
  }

  @Override
  public void onBlockPushSuccess(String id, ManagedBuffer data) {
    told(id, "");
  }

  @Override
  public void onBlockPushFailure(String id, Throwable error) {
    told(id, "!" + ShuffleServicePeer.textOf(error));
  }

  @Override
  public void onBlockTransferSuccess(String id, ManagedBuffer data) {
    onBlockFetchSuccess(id, data);
  }

  @Override
  public void onBlockTransferFailure(String id, Throwable error) {
    told(id, "!" + ShuffleServicePeer.textOf(error));
  }

  @Override
  public String getTransferType() {
    return "transfer";
  }

  private void told(String id, String outcome) {
    outcomes.put(id, outcome);
    pending.countDown();
  }
}
