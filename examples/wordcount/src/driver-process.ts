/**
 * A driver as a process of its own, which may be killed and started again: it keeps what it knows in a
 * state directory. Does what its starter says; ends when that one is gone.
 */
import { Driver } from "./driver.ts";
import type { FromDriver, ToDriver } from "./driver-messages.ts";

let driver: Driver | null = null;

process.on("message", (message: ToDriver) => {
  obey(message).catch((error: unknown) => tell({ kind: "failed", error: error as Error }));
});
process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches every process of the terminal at once; the starter decides what it means.
process.on("SIGINT", () => {});

async function obey(message: ToDriver): Promise<void> {
  switch (message.kind) {
    case "start": {
      const { options, directory, masterStateDir } = message;
      const onMidShuffle = (): void => tell({ kind: "midShuffle" });
      driver = await Driver.start({ options, directory, masterStateDir, onMidShuffle });
      tell({ kind: "listening", address: driver.address });
      await driver.ready();
      tell({ kind: "ready", cast: driver.cast });
      return;
    }
    case "run": {
      const report = await driver?.run(message.splits);
      if (report !== undefined) tell({ kind: "done", report });
      return;
    }
    case "executorLost":
      driver?.executorLost(message.executorId, message.how);
  }
}

function tell(message: FromDriver): void {
  if (process.connected) process.send?.(message);
}
