/** Figures of a drill. */
import type { Outcome } from "./run-schedule.ts";

interface Row {
  schedules: number;
  blocks: number;
  intact: number;
  failed: number;
  refused: number;
}

/** Adds outcomes up, by what the schedules did. */
export class Tally {
  readonly #rows = new Map<string, Row>();
  done = 0;
  faulty = 0;
  /** Runs that nothing could be learned from. */
  disturbed = 0;

  add({ attempts, failed, faults, intact, refused, schedule }: Outcome): void {
    this.done += 1;
    this.disturbed += attempts - 1;
    if (faults.length > 0) this.faulty += 1;
    const { blocks, kind, way } = schedule;
    for (const key of [kind, `by ${way}`, "all"]) {
      const row = this.#rows.get(key) ?? emptyRow();
      this.#rows.set(key, row);
      row.schedules += 1;
      row.blocks += blocks.length;
      row.intact += intact;
      row.failed += failed;
      row.refused += refused;
    }
  }

  /** A table for people: what was done, and how its blocks ended. */
  table(): string {
    const rows = [...this.#rows].toSorted(([one], [other]) => (one < other ? -1 : 1));
    const head = "schedules         count    blocks    intact    failed   refused".padEnd(40);
    const lines = rows.map(([key, row]) =>
      [
        key.padEnd(14),
        ...[row.schedules, row.blocks, row.intact, row.failed, row.refused].map((count) =>
          String(count).padStart(9),
        ),
      ].join(" "),
    );
    return [head, ...lines].join("\n");
  }
}

function emptyRow(): Row {
  return { schedules: 0, blocks: 0, intact: 0, failed: 0, refused: 0 };
}
