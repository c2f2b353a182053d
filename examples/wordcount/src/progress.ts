/** One live line per stage on a terminal, a plain line now and then elsewhere. */
import { styleText } from "node:util";

const PLAIN_LINE_EVERY_MS = 1000;
const BAR_CELLS = 24;

/** Shows how far a stage is. */
export class StageProgress {
  readonly #name: string;
  readonly #stream: NodeJS.WriteStream;
  readonly #startMs = performance.now();
  #lastLineMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, stream: NodeJS.WriteStream) {
    this.#name = name;
    this.#stream = stream;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  update(done: number, total: number, detail = ""): void {
    const text = `${this.#name.padEnd(8)} ${String(done).padStart(4)}/${total} tasks  ${detail}`;
    if (this.#stream.isTTY) this.#stream.write(`\r\x1b[K${bar(done, total)} ${text}`);
    else if (this.elapsedMs - this.#lastLineMs >= PLAIN_LINE_EVERY_MS) {
      this.#lastLineMs = this.elapsedMs;
      this.#stream.write(`${text.trimEnd()}\n`);
    }
  }

  /** Ends the stage with a line that stays. */
  end(detail: string): void {
    const seconds = (this.elapsedMs / 1000).toFixed(1);
    const line = `${this.#name.padEnd(8)} ${seconds.padStart(6)} s  ${detail}`;
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[K${line}\n` : `${line}\n`);
  }
}

/** 1536 -> `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ""}`;
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR_CELLS : Math.round((done / total) * BAR_CELLS);
  return styleText("cyan", "█".repeat(filled)) + styleText("gray", "░".repeat(BAR_CELLS - filled));
}
