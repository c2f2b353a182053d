import type { ServiceConf } from "../service-conf.ts";
import type { MergedShuffleFileManager } from "./merged-shuffle-file-manager.ts";
import { noOpMergeManager } from "./no-op-merge-manager.ts";
import {
  RemoteBlockPushResolver,
  type RemoteBlockPushResolverOptions,
} from "./remote-block-push-resolver.ts";

/** The manager that the configuration asks for. @throws ShuffleError OPTION_INVALID (rejects). */
export async function createMergeManager(
  conf: ServiceConf,
  parts: Omit<RemoteBlockPushResolverOptions, "chunkBytesMin" | "ioErrorsMax" | "verifiesChunks">,
): Promise<MergedShuffleFileManager> {
  if (!conf.mergesPushedBlocks) return noOpMergeManager;
  return RemoteBlockPushResolver.open({
    ...parts,
    chunkBytesMin: conf.transport.minChunkSizeInMergedShuffleFile,
    verifiesChunks: conf.boolean("bm.service.verifyMergedChunks"),
    ioErrorsMax: conf.transport.ioExceptionsThresholdDuringMerge,
  });
}
