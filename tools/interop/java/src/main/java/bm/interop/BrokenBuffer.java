package bm.interop;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import org.apache.spark.network.buffer.ManagedBuffer;
import org.apache.spark.network.util.AbstractFileRegion;

/** A body that gives some of its bytes and then fails. */
final class BrokenBuffer extends ManagedBuffer {
  private final ByteBuffer start;
  private final long size;

  BrokenBuffer(ByteBuffer start, long size) {
    this.start = start;
    this.size = size;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public ByteBuffer nioByteBuffer() throws IOException {
    throw new IOException("asked to break");
  }

  @Override
  public InputStream createInputStream() throws IOException {
    throw new IOException("asked to break");
  }

  @Override
  public ManagedBuffer retain() {
    return this;
  }

  @Override
  public ManagedBuffer release() {
    return this;
  }

  @Override
  public Object convertToNetty() {
    return new BrokenRegion();
  }

  /** Overrides what releases before 4.0 do not declare. */
  public Object convertToNettyForSsl() throws IOException {
    return createInputStream();
  }

  private final class BrokenRegion extends AbstractFileRegion {
    @Override
    public long count() {
      return size;
    }

    @Override
    public long position() {
      return 0;
    }

    @Override
    public long transferred() {
      return start.position();
    }

    @Override
    public long transferTo(WritableByteChannel target, long position) throws IOException {
      if (!start.hasRemaining()) throw new IOException("asked to break");
      return target.write(start);
    }

    @Override
    protected void deallocate() {}
  }
}
