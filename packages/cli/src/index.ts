/** The bm command as a library: what `bm serve` starts, and how it reads its configuration. */
export { CliError } from "./cli-error.ts";
export { parseSparkDefaults } from "./conf/spark-defaults.ts";
export { type OpsAddress, OpsServer } from "./http/ops-server.ts";
export type { LogLevel } from "./platform/line-logger.ts";
export { createProgram } from "./program.ts";
export { type CommandOutput, type RunningService, startServe } from "./serve/run-serve.ts";
export type { ServeFlags } from "./serve/serve-options.ts";
