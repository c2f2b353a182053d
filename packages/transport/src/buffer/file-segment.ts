import { type FileStat, type Files, isSameFile, type OpenFile } from "../platform/platform.ts";
import { OpenFiles } from "./open-files.ts";

/** A part of a file. */
export interface FileSegment {
  readonly files: Files;
  readonly path: string;
  /** Where it starts in the file. */
  readonly offset: number;
  /** Its bytes. */
  readonly length: number;
  /** No byte is given of any other file that may be at the path by now. Default: whichever is there. */
  readonly file?: FileStat | undefined;
  /** The file while its owner keeps it open. */
  readonly opened?: OpenFile | null;
}

/** Whether `next` begins where `segment` ends. */
export function isFollowedBy(segment: FileSegment, next: FileSegment): boolean {
  const { file, files, path, offset, length } = segment;
  if (next.offset !== offset + length || next.path !== path) return false;
  return next.files === files && next.file === file;
}

/** As `readNow` of Files, from the start of the segment. */
export function readSegmentNow(segment: FileSegment, target: Uint8Array): number {
  const { file, files, offset, opened, path } = segment;
  if (opened) return opened.readNow(target, offset);
  return files.readNow(path, target, offset, file);
}

/**
 * The file of the segment when it can be had in this turn, else null. The caller closes it, unless the
 * segment's owner keeps it open.
 */
export function openSegmentNow(segment: FileSegment): OpenFile | null {
  const { file: expected, files, opened, path } = segment;
  if (opened) return opened;
  const file = files.openNow(path);
  if (file === null || expected === undefined) return file;
  const found = file.statNow();
  if (found !== null && isSameFile(found, expected)) return file;
  // Nothing was written, so closing cannot lose anything.
  file.close().catch(() => {});
  return null;
}

/**
 * Enough to keep every thread of the pool and every disk busy. Without a limit each of thousands of
 * connections would have 16 open.
 */
const OPEN_FILES_MAX = 128;

const openFiles = new OpenFiles(OPEN_FILES_MAX);

/** Of a segment that is not there. */
export const NO_CONTENT: SegmentContent = { count: 0, wasInMemory: false };

/** What {@link readSegment} found. */
export interface SegmentContent {
  /** Bytes, fewer than were wanted only where the file ends, none when it is not the one that is wanted. */
  readonly count: number;
  /** The disk was not asked for any of them. */
  readonly wasInMemory: boolean;
}

/**
 * Fills memory from the start of the segment. Waits while 128 files are open for others, and asks
 * for the memory after that.
 * @throws TransportError FILE_FAILED (rejects).
 */
export async function readSegment(
  segment: FileSegment,
  takeTarget: () => Uint8Array,
): Promise<SegmentContent> {
  const { offset } = segment;
  const file = await openCounted(segment);
  try {
    if (segment.file !== undefined && !isSameFile(await file.stat(), segment.file)) {
      return NO_CONTENT;
    }
    const target = takeTarget();
    const count = file.readNow(target, offset);
    if (count === target.length) return { count, wasInMemory: true };
    const rest = await file.read(target.subarray(count), offset + count);
    return { count: count + rest, wasInMemory: false };
  } finally {
    // Nothing was written, so closing cannot lose anything.
    const closed = (): void => openFiles.giveBack();
    file.close().then(closed, closed);
  }
}

async function openCounted({ files, path }: FileSegment): Promise<OpenFile> {
  await openFiles.take();
  try {
    return await files.open(path, "read");
  } catch (error) {
    openFiles.giveBack();
    throw error;
  }
}
