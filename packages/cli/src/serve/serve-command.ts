import { Command, InvalidArgumentError, Option } from "commander";
import { LOG_LEVELS } from "../platform/line-logger.ts";
import { type CommandOutput, type RunningService, startServe } from "./run-serve.ts";
import type { ServeFlags } from "./serve-options.ts";

const EXAMPLES = `
A cluster that uses this service sets, for its applications:
  spark.shuffle.service.enabled  true
  spark.shuffle.service.port     7337

Run it as the user of the Spark workers, one on each machine. A conf file is in the syntax
of spark-defaults.conf, with Spark's own keys; flags win over it. Registrations are kept in
bm-registered-executors.ldb in the first directory, unless --db names another place;
registeredExecutors.ldb of Spark's own service can be taken over so when that is stopped.

SIGTERM and SIGINT stop accepting, finish what runs and exit; a second one exits at once.
SIGHUP reads the conf file again: limits, quotas, expiry, clean-up, drain and log level change at
once, and the log names what has to wait for a restart. A bad file changes nothing.

  bm serve --dir /data/1 --dir /data/2
  bm serve --port 7337 --conf conf/spark-defaults.conf`;

/** `bm serve`. Resolves when the service was told to end and has ended. */
export function serveCommand(output: CommandOutput): Command {
  return new Command("serve")
    .description("run the external shuffle service of a Spark cluster")
    .option("-p, --port <port>", "port for shuffle clients (default: 7337)", readPort)
    .option("--host <address>", "address to bind (default: every interface)")
    .option(
      "-t, --threads <count>",
      "event loops that serve (default: one for two cores, at most 4)",
      readThreads,
    )
    .option("-d, --dir <dir...>", "directories under which executors may write")
    .option("-c, --conf <file>", "spark-defaults.conf to read")
    .option("--set <key=value...>", "set a key of the configuration")
    .option("--spark-master <url>", "web page of the master, asked which applications have ended")
    .option("--db <path>", "database of registrations")
    .option(
      "--http-port <port>",
      "port for /healthz, /readyz, /metrics (default: port + 1)",
      readPort,
    )
    .option("--http-host <address>", "address of the HTTP port", "127.0.0.1")
    .option("--no-http", "no HTTP port")
    .addOption(new Option("--log-level <level>", "what to log (default: info)").choices(LOG_LEVELS))
    .addHelpText("after", EXAMPLES)
    .action(async (flags: ServeFlags) => {
      // Before the first line is printed: whoever reads it may send a signal at once.
      const signals = new ServeSignals();
      try {
        const running = await startServe(flags, output, process.env);
        signals.onReload(() => void running.reload());
        await drainWhenTold(running, signals, output);
      } finally {
        signals.close();
      }
    });
}

/** Listens for the signals that end a service, and for the one that makes it read its conf file. */
class ServeSignals {
  readonly #first = Promise.withResolvers<NodeJS.Signals>();
  readonly #second = Promise.withResolvers<NodeJS.Signals>();
  #count = 0;
  #reload: (() => void) | null = null;
  /** A signal came while nobody could reload yet. */
  #isReloadDue = false;

  constructor() {
    process.on("SIGTERM", this.#onSignal).on("SIGINT", this.#onSignal);
    process.on("SIGHUP", this.#onHangUp);
  }

  /** Calls back at each SIGHUP, one that came before included. */
  onReload(reload: () => void): void {
    this.#reload = reload;
    if (this.#isReloadDue) reload();
  }

  /** Resolves at the first one. */
  get first(): Promise<NodeJS.Signals> {
    return this.#first.promise;
  }

  /** Resolves when somebody has lost patience. */
  get second(): Promise<NodeJS.Signals> {
    return this.#second.promise;
  }

  close(): void {
    process.off("SIGTERM", this.#onSignal).off("SIGINT", this.#onSignal);
    process.off("SIGHUP", this.#onHangUp);
  }

  readonly #onHangUp = (): void => {
    if (this.#reload === null) this.#isReloadDue = true;
    else this.#reload();
  };

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#count += 1;
    (this.#count === 1 ? this.#first : this.#second).resolve(signal);
  };
}

/** Resolves after the first signal and a complete drain. */
async function drainWhenTold(
  running: RunningService,
  signals: ServeSignals,
  output: CommandOutput,
): Promise<void> {
  const signal = await signals.first;
  output.out(`${signal}: no more connections, finishing what runs\n`);
  void signals.second.then((again) => running.service.abort(new Error(again)));
  await running.close();
  output.out("ended\n");
}

function readThreads(text: string): number {
  if (/^[0-9]{1,2}$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("1 to 64; there is no use in more than there are cores");
}

function readPort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new InvalidArgumentError("a port is a number from 0 to 65535");
}
