package bm.interop;

import java.nio.ByteBuffer;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.client.ChunkReceivedCallback;
import org.apache.spark.network.client.RpcResponseCallback;
import org.apache.spark.network.client.TransportClient;

/**
 * One connection of a load and its window. With a rolling window everything happens on the
 * connection's event loop: an answer is followed by the next request without a change of threads.
 * Blocking callers and bursts have a thread of their own, as in Spark's benchmark.
 */
final class BenchLane {
  private static final int CHECKED_WHOLE = 4;

  private final BenchLoad load;
  private final BenchWorkload workload;
  private final TransportClient client;
  private final AtomicInteger inFlight = new AtomicInteger();
  private final Semaphore rest = new Semaphore(0);
  private final long[] samples = new long[1 << 18];
  private int wholeChecks;
  private int nextIndex;
  private volatile boolean goesOn = true;
  private long sampled;
  long operations;
  long bytes;

  BenchLane(BenchLoad load, TransportClient client) {
    this.load = load;
    this.workload = load.workload;
    this.client = client;
    this.wholeChecks = workload.isWarmUp ? CHECKED_WHOLE : 0;
  }

  void start() {
    if (!workload.pacing.equals("rolling")) {
      Thread thread = new Thread(this::callFromOutside, "bench-caller");
      thread.setDaemon(true);
      thread.start();
      return;
    }
    inFlight.set(workload.window);
    client.getChannel().eventLoop().execute(this::fillWindow);
  }

  long[] samples() {
    return java.util.Arrays.copyOf(samples, (int) Math.min(sampled, samples.length));
  }

  private void fillWindow() {
    for (int i = 0; i < workload.window; i++) new Slot().send(nextIndex++);
  }

  private void callFromOutside() {
    try {
      Slot[] slots = new Slot[workload.window];
      for (int i = 0; i < slots.length; i++) slots[i] = new Slot();
      while (goesOn) {
        inFlight.set(slots.length);
        for (Slot slot : slots) slot.send(nextIndex++);
        rest.acquire();
      }
      load.laneEnded();
    } catch (Throwable error) {
      load.fail(error);
    }
  }

  /** Runs on the event loop of the connection. */
  private boolean take(ByteBuffer answer, int index, long startedNanos) {
    long now = System.nanoTime();
    samples[(int) (sampled++ & (samples.length - 1))] = now - startedNanos;
    workload.check(answer, index, wholeChecks-- > 0);
    if (wholeChecks < 0) wholeChecks = 0;
    operations++;
    bytes += workload.bytesAt(index);
    return load.goesOn(now);
  }

  private final class Slot implements RpcResponseCallback, ChunkReceivedCallback {
    private int index;
    private long startedNanos;

    void send(int index) {
      this.index = index;
      startedNanos = System.nanoTime();
      if (workload.isChunkLoad()) client.fetchChunk(workload.streamIdAt(index), index, this);
      else client.sendRpc(workload.request(), this);
    }

    @Override
    public void onSuccess(ByteBuffer response) {
      answered(response);
    }

    @Override
    public void onSuccess(int chunkIndex, ManagedBuffer buffer) {
      try {
        answered(buffer.nioByteBuffer());
      } catch (Throwable error) {
        load.fail(error);
      }
    }

    @Override
    public void onFailure(Throwable error) {
      load.fail(error);
    }

    @Override
    public void onFailure(int chunkIndex, Throwable error) {
      load.fail(error);
    }

    private void answered(ByteBuffer answer) {
      try {
        if (!take(answer, index, startedNanos)) goesOn = false;
        if (goesOn && workload.pacing.equals("rolling")) {
          send(nextIndex++);
        } else if (inFlight.decrementAndGet() == 0) {
          if (workload.pacing.equals("rolling")) load.laneEnded();
          else rest.release();
        }
      } catch (Throwable error) {
        load.fail(error);
      }
    }
  }
}
