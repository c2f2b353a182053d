import { readFileSync, writeFileSync } from "node:fs";

/** Bytes of memory that a process of this machine holds now; null where the system does not tell. */
export function residentBytes(pid: number): number | null {
  return statusBytes(pid, "VmRSS");
}

/** The most that it held since its start, or since `forgetPeak`. */
export function peakBytes(pid: number): number | null {
  return statusBytes(pid, "VmHWM");
}

/** Lets the peak begin anew at what is held now, where the system can. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Not Linux, or not allowed: the peak is that of the whole life then.
  }
}

function statusBytes(pid: number, field: string): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "utf8");
    const found = new RegExp(`^${field}:\\s*(\\d+) kB`, "m").exec(text);
    return found === null ? null : Number(found[1]) * 1024;
  } catch {
    return null;
  }
}
