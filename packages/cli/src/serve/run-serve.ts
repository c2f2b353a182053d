import { dirname, join } from "node:path";
import { ExternalShuffleService, LevelExecutorStore, LevelRows, ServiceConf } from "@bm/shuffle";
import { type Files, type Logger, nodePlatform } from "@bm/transport";
import { OpsServer } from "../http/ops-server.ts";
import { lineLogger } from "../platform/line-logger.ts";
import { reloader } from "./reload-serve.ts";
import { serveBanner } from "./serve-banner.ts";
import { planService, type ServeFlags, type ServePlan } from "./serve-options.ts";
import { endedApplications } from "./spark-master.ts";

/** A service that runs, and its HTTP side. */
export interface RunningService {
  readonly service: ExternalShuffleService;
  readonly ops: OpsServer | null;
  /** Reads the conf file again; says in the log what came of it. Never rejects. */
  reload(): Promise<void>;
  /** Drains, then ends both. Safe to call twice. */
  close(): Promise<void>;
}

/** Where a command writes and what it reads from its surroundings. */
export interface CommandOutput {
  out(text: string): void;
  err(text: string): void;
}

/**
 * Starts a service and prints what it is.
 * @throws CliError; ShuffleError and TransportError with whatever hinders a start (rejects).
 */
export async function startServe(
  flags: ServeFlags,
  output: CommandOutput,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<RunningService> {
  const platform = nodePlatform();
  const plan = await planService(flags, platform.files, environment);
  let { logLevel } = plan;
  const logger = lineLogger(
    () => logLevel,
    (line) => output.err(line),
  );
  const { conf, database, dirs, host, port, sparkMaster } = plan;
  const store =
    database === null
      ? undefined
      : await LevelExecutorStore.open({ path: database, files: platform.files, logger });
  const mergeStore = await openMergeStore(plan, platform.files, logger);
  const service = await ExternalShuffleService.start({
    conf,
    mergeStore,
    port,
    host,
    roots: dirs,
    store,
    endedApplications:
      sparkMaster === null
        ? undefined
        : (appIds) => endedApplications(sparkMaster, appIds, platform.clock),
    platform,
    logger,
  });
  try {
    const ops = plan.http === null ? null : await OpsServer.start(service, plan.http);
    output.out(`${serveBanner(service, plan, ops?.address ?? null).join("\n")}\n`);
    if (dirs.length === 0) warnOpen(logger);
    const reload = reloader({ flags, service, files: platform.files, logger, output }, (level) => {
      logLevel = level;
    });
    return { service, ops, reload, close: () => closeAll(service, ops) };
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** Beside the registrations, under a name of its own for the same reason. */
async function openMergeStore(
  { conf, database }: ServePlan,
  files: Files,
  logger: Logger,
): Promise<LevelRows | undefined> {
  const isMerging = new ServiceConf(conf).mergesPushedBlocks;
  if (database === null || !isMerging) return undefined;
  const path = join(dirname(database), "bm-merged-shuffles.ldb");
  return LevelRows.open({ path, files, logger });
}

/** Ends in the order in which a load balancer likes it: not ready, drained, gone. */
async function closeAll(service: ExternalShuffleService, ops: OpsServer | null): Promise<void> {
  ops?.setDraining();
  await service.close();
  await ops?.close();
}

function warnOpen(logger: Logger): void {
  logger.warn("no directories given: an executor may register any directory of this machine");
}
