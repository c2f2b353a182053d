import type { LoopLine } from "@bm/transport";
import type { ExecutorStore } from "../executor-store.ts";
import type { OwnerQuestion } from "./loop-messages.ts";

/** In a loop that is not the owner: registrations outlive the process at the owner's. */
export function ownerStore(line: LoopLine): ExecutorStore {
  const ask = (question: OwnerQuestion): Promise<unknown> => line.ask(question);
  return {
    description: "at the owner of the event loops",
    // They come as changes, before the answer, and are not visited.
    load: async () => void (await ask({ type: "follow" })),
    write: async (changes) => void (await ask({ type: "write", changes })),
    close: () => Promise.resolve(),
  };
}
