package bm.interop;

import java.nio.file.Files;
import java.nio.file.Path;

/** Peak resident memory as the kernel counts it. */
final class ResidentMemory {
  private ResidentMemory() {}

  /** Peak bytes, or 0 where the kernel does not tell. */
  static long bytes() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
      }
    } catch (Exception e) {
      return 0;
    }
    return 0;
  }
}
