import type { ExternalShuffleService } from "@bm/shuffle";
import type { Files, Logger } from "@bm/transport";
import type { LogLevel } from "../platform/line-logger.ts";
import type { CommandOutput } from "./run-serve.ts";
import { planAgain, type ServeFlags } from "./serve-options.ts";

/** What is read again, for whom. */
export interface ReloadOptions {
  readonly flags: ServeFlags;
  readonly service: ExternalShuffleService;
  readonly files: Files;
  readonly logger: Logger;
  readonly output: CommandOutput;
}

/**
 * Reads the conf file again at each call, one call after the other. A file that is missing or has a bad
 * value changes nothing. Never rejects: a line says what came of it.
 */
export function reloader(
  options: ReloadOptions,
  onLevel: (level: LogLevel) => void,
): () => Promise<void> {
  let last = Promise.resolve();
  return () => {
    last = last.then(() => reload(options, onLevel));
    return last;
  };
}

async function reload(
  { files, flags, logger, output, service }: ReloadOptions,
  onLevel: (level: LogLevel) => void,
): Promise<void> {
  if (flags.conf === undefined) {
    logger.warn("there is no --conf to read again: every setting stays");
    return;
  }
  try {
    const { conf, logLevel } = await planAgain(flags, files);
    const { applied, postponed } = service.reload(conf);
    onLevel(logLevel);
    const news = applied.length === 0 ? "nothing is new" : `now in force: ${applied.join(", ")}`;
    output.out(`read ${flags.conf} again, ${news}\n`);
    if (postponed.length === 0) return;
    logger.warn(`${postponed.join(", ")}: in force when the service starts again`);
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    logger.error(`read ${flags.conf} again: ${reason}; every setting stays`);
  }
}
