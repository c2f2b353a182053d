import type { ServiceCase } from "./cases/case.ts";

/** Every message that one end of a shuffle service can send, as the protocol calls them. */
export const MESSAGES: readonly string[] = [
  "RegisterExecutor",
  "OpenBlocks",
  "FetchShuffleBlocks",
  "FetchShuffleBlockChunks",
  "StreamHandle",
  "RemoveBlocks",
  "BlocksRemoved",
  "GetLocalDirsForExecutors",
  "LocalDirsForExecutors",
  "DiagnoseCorruption",
  "CorruptionCause",
  "PushBlockStream",
  "BlockPushReturnCode",
  "FinalizeShuffleMerge",
  "MergeStatuses",
  "RemoveShuffleMerge",
  "MergedBlockMetaRequest",
  "UploadBlock",
  "UploadBlockStream",
  "RegisterDriver",
  "Heartbeat",
  "(malformed)",
];

/** A row for each message, in markdown: which cases are about it. */
export function messageTable(cases: readonly ServiceCase[]): string {
  const rows = MESSAGES.map((message) => {
    const names = cases
      .filter(({ messages }) => messages.includes(message))
      .map(({ name }) => name);
    return `| ${message} | ${names.join("; ")} |`;
  });
  return ["| message | cases |", "|---|---|", ...rows].join("\n");
}
