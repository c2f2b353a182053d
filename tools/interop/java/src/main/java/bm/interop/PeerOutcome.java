package bm.interop;

import java.io.IOException;
import org.apache.spark.network.client.ChunkFetchFailureException;

/** Failures in words that both peers use: see ../../../../../../src/pairing/outcome.ts. */
final class PeerOutcome {
  static final String OK = "ok";

  private PeerOutcome() {}

  static String of(Throwable error) {
    if (error instanceof IOException || error.getCause() instanceof IOException) return "connection";
    if (error instanceof WrongBytesException) return "wrong " + error.getMessage();
    String text = String.valueOf(error.getMessage());
    if (error instanceof ChunkFetchFailureException) {
      return "remote " + firstLine(text.substring(text.indexOf("]: ") + 3));
    }
    if (error.getClass() == RuntimeException.class) return "remote " + firstLine(text);
    return "local " + error.getClass().getName();
  }

  private static String firstLine(String text) {
    int end = text.indexOf('\n');
    return (end < 0 ? text : text.substring(0, end)).trim();
  }
}
