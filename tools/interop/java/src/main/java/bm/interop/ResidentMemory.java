package bm.interop;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Resident memory as the kernel counts it; 0 where the kernel does not tell. */
final class ResidentMemory {
  private ResidentMemory() {}

  /** Peak bytes. */
  static long bytes() {
    return field("VmHWM:");
  }

  /** Bytes at this moment. */
  static long now() {
    return field("VmRSS:");
  }

  private static long field(String name) {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith(name)) return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
      }
    } catch (IOException e) {
      return 0;
    }
    return 0;
  }
}
