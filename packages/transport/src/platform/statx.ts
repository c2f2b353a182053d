/** What statx(2) of Linux fills in, little-endian, in our words and with the very numbers of Node's stat. */
import type { FileStat } from "./platform.ts";

/** Length of the structure. */
export const STATX_BYTES = 256;

const LINKS = 16;
const MODE = 28;
const INODE = 32;
const SIZE = 40;
const MODIFIED_SECONDS = 112;
const MODIFIED_NANOSECONDS = 120;
const DEVICE_MAJOR = 136;
const DEVICE_MINOR = 140;

const TYPE_MASK = 0o170_000;
const REGULAR = 0o100_000;
const DIRECTORY = 0o040_000;

/** See the file comment. */
export function fileStatOf(statx: Buffer): FileStat {
  const type = statx.readUInt16LE(MODE) & TYPE_MASK;
  const seconds =
    statx.readUInt32LE(MODIFIED_SECONDS) + statx.readInt32LE(MODIFIED_SECONDS + 4) * 2 ** 32;
  return {
    bytes: uint64(statx, SIZE),
    isFile: type === REGULAR,
    isDirectory: type === DIRECTORY,
    modifiedMs: seconds * 1000 + statx.readUInt32LE(MODIFIED_NANOSECONDS) / 1e6,
    device: deviceOf(statx.readUInt32LE(DEVICE_MAJOR), statx.readUInt32LE(DEVICE_MINOR)),
    inode: uint64(statx, INODE),
    links: statx.readUInt32LE(LINKS),
  };
}

/** Rounded where it does not fit a number, as Node does. */
function uint64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 4) * 2 ** 32 + bytes.readUInt32LE(offset);
}

/** As makedev(3) puts them together: twelve low bits of the major between two parts of the minor. */
function deviceOf(major: number, minor: number): number {
  const high = Math.floor(major / 2 ** 12) * 2 ** 44 + Math.floor(minor / 2 ** 8) * 2 ** 20;
  return high + (major % 2 ** 12) * 2 ** 8 + (minor % 2 ** 8);
}
