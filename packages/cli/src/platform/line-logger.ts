import type { Logger } from "@bm/transport";

/** How much is logged; each level includes those after it. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What of {@link LOG_LEVELS} is meant, or null. */
export function readLogLevel(text: string): LogLevel | null {
  return LOG_LEVELS.find((level) => level === text.trim().toLowerCase()) ?? null;
}

/**
 * One line for each message, with its time; line breaks that a peer chose are shown as `\n`. The level
 * is asked for each time.
 */
export function lineLogger(level: () => LogLevel, write: (line: string) => void): Logger {
  const log =
    (at: LogLevel) =>
    (message: string): void => {
      if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(level())) return;
      const text = message.trimEnd().replaceAll("\n", String.raw`\n`);
      write(`${new Date().toISOString()} ${at.toUpperCase().padEnd(5)} ${text}\n`);
    };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}
