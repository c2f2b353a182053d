/** Messages that a service is not for, and bytes that are no message. */
import { encodeBlockTransferMessage } from "@bm/shuffle";
import type { ServiceCase } from "./case.ts";

const UPLOAD_BLOCK_STREAM = `06${text("rdd_1_2")}${int32(0)}`;

/** See the file comment. */
export const RAW_CASES: readonly ServiceCase[] = [
  rawCase(
    "an upload for a block manager",
    "UploadBlock",
    `01${text("app")}${text("1")}${text("rdd_1_2")}${int32(0)}${int32(0)}`,
    "Unexpected message: UploadBlock",
  ),
  rawCase(
    "an answer as a question",
    "StreamHandle",
    `03${"00".repeat(12)}`,
    "Unexpected message: StreamHandle",
  ),
  rawCase(
    "a push as an RPC",
    "PushBlockStream",
    pushHeader("nobody"),
    "Unexpected message: PushBlockStream",
  ),
  rawCase(
    "the registration of a Mesos driver",
    "RegisterDriver",
    `04${text("app")}${"00".repeat(8)}`,
    "Unknown message type: 4",
  ),
  rawCase(
    "the heartbeat of a Mesos driver",
    "Heartbeat",
    `05${text("app")}`,
    "Unknown message type: 5",
  ),
  rawCase("an unknown type", "(malformed)", "63", "Unknown message type: 99"),
  rawCase("a negative type", "(malformed)", "ff", "Unknown message type: -1"),
  rawCase(
    "a text that is longer than its message",
    "(malformed)",
    `00${int32(100)}6162`,
    "IndexOutOfBoundsException",
  ),
  rawCase(
    "a text of negative length",
    "(malformed)",
    `00${int32(-1)}`,
    "NegativeArraySizeException",
  ),
  {
    name: "a message with bytes behind its end",
    messages: ["GetLocalDirsForExecutors"],
    run: async (application) => {
      await application.registerWith("plain-adler32");
      const { appId } = application;
      const message = { type: "GetLocalDirsForExecutors", appId, execIds: ["1"] } as const;
      const hex = `${Buffer.from(encodeBlockTransferMessage(message)).toString("hex")}0102`;
      const answer = String(await application.ask("raw", { hex }, "answer"));
      return answer.slice(0, 2);
    },
    expected: "0b",
  },
  {
    name: "an upload that is no push",
    messages: ["UploadBlockStream"],
    run: (application) =>
      application.ask("rawUpload", { hex: UPLOAD_BLOCK_STREAM, size: 100 }, "answer"),
    expected: "Unexpected message with #receiveStream",
  },
];

function rawCase(name: string, message: string, hex: string, expected: string): ServiceCase {
  return {
    name,
    messages: [message],
    run: (application) => application.ask("raw", { hex }, "answer"),
    expected,
  };
}

function pushHeader(appId: string): string {
  const ids = { appAttemptId: -1, shuffleId: 0, shuffleMergeId: 0, mapIndex: 0, reduceId: 0 };
  const message = { type: "PushBlockStream", appId, ...ids, index: 0 } as const;
  return Buffer.from(encodeBlockTransferMessage(message)).toString("hex");
}

function text(value: string): string {
  const bytes = Buffer.from(value);
  return int32(bytes.length) + bytes.toString("hex");
}

function int32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes.toString("hex");
}
