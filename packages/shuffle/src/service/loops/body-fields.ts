import {
  BytesManagedBuffer,
  FileSegmentManagedBuffer,
  type Files,
  type ManagedBuffer,
} from "@bm/transport";
import type { BodyFields } from "./loop-messages.ts";

/** Takes a body apart for another event loop; the body is released. */
export async function fieldsOfBody(body: ManagedBuffer): Promise<BodyFields> {
  try {
    if (body instanceof FileSegmentManagedBuffer) {
      const { length, offset, path } = body;
      return { path, offset, length };
    }
    return { bytes: await body.bytes() };
  } finally {
    body.release();
  }
}

/** The body that another event loop took apart. */
export function bodyOfFields(fields: BodyFields, files: Files): ManagedBuffer {
  return "bytes" in fields
    ? new BytesManagedBuffer(fields.bytes)
    : new FileSegmentManagedBuffer({ files, ...fields });
}
