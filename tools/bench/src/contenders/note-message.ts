/** The message of the suites of typed endpoints, one protobuf class for all contenders. */
import protobuf from "protobufjs";
import type { Answers } from "../load/link.ts";
import type { Workload } from "../suites/workload.ts";

/** A small message as services have them: a number, a text, and some bytes. */
export interface Note {
  readonly number: number;
  readonly author: string;
  readonly body: Uint8Array;
}

const NoteType = new protobuf.Type("Note")
  .add(new protobuf.Field("number", 1, "uint32"))
  .add(new protobuf.Field("author", 2, "string"))
  .add(new protobuf.Field("body", 3, "bytes"));
// Compiles its encoder and decoder, as a static module has them.
new protobuf.Root().add(NoteType);
NoteType.setup();

/** Bytes of a note. */
export function encodeNote(note: Note): Buffer {
  return NoteType.encode(note).finish() as Buffer;
}

/** The note of some bytes; its body is a view on them. */
export function decodeNote(bytes: Uint8Array): Note {
  return NoteType.decode(bytes) as unknown as Note;
}

/** The note that a workload sends; `body` holds the start of the memory region. */
export function noteOf(workload: Workload, index: number, region: Buffer): Note {
  return {
    number: index,
    author: "a reader of notes",
    body: region.subarray(0, workload.requestBytes),
  };
}

/** Tells the load of an answer, which must be to note `index`. */
export function answerWith(answers: Answers, note: Note, index: number): void {
  if (note.number === index) answers.answered(note.body);
  else answers.failed(new Error(`got note ${note.number} instead of ${index}`));
}
