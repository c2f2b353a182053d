import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Place } from "./contenders/contender.ts";
import { nodeContender } from "./contenders/node-contenders.ts";
import type { Pace } from "./contest/contest.ts";
import { HalfProcess } from "./contest/half-process.ts";
import {
  clientCommand,
  type HalfCommand,
  type HalfKind,
  serverCommand,
} from "./halves/half-command.ts";
import { drive, serve } from "./halves/node-halves.ts";
import { prepareRegionFile } from "./halves/region-file.ts";
import { runClusterDriver } from "./master/cluster-driver.ts";
import { runClusterExecutors } from "./master/cluster-executors.ts";
import { runMasterSuite } from "./master/master-command.ts";
import { runStatusHalf } from "./master/status-half.ts";
import { benchmarkPage } from "./report/page.ts";
import { ratioChart } from "./report/ratio-chart.ts";
import { jsonReport } from "./report/run-report.ts";
import { textReport } from "./report/text-report.ts";
import { runBenchmark } from "./run-benchmark.ts";
import { runServiceClient } from "./service/client/service-client.ts";
import { runServiceSuites } from "./service/service-command.ts";
import type { ServiceSuite } from "./service/service-suite.ts";
import { SERVICE_SUITES, serviceSuitesNamed } from "./service/service-suites.ts";
import {
  CONTENDERS,
  type ContenderName,
  SERVICES,
  type Service,
  type Suite,
} from "./suites/suite.ts";
import { SUITE_GROUPS, SUITES } from "./suites/suite-table.ts";
import type { Outcome } from "./suites/workload.ts";

const DOCS = join(import.meta.dirname, "..", "..", "..", "docs");
const PAGE = "benchmarks.md";
const CHART = "benchmarks.svg";

/** Leaves the last suites and the ends of the processes room within two minutes. */
const QUICK_LIMIT_SECONDS = 80;

/** What `--suite` has named. */
interface Chosen {
  readonly master: boolean;
  readonly transport: readonly Suite[];
  readonly service: readonly ServiceSuite[];
}

const NOTHING: Chosen = { master: false, transport: [], service: [] };

interface RunOptions {
  readonly suite: Chosen;
  readonly peer: readonly ContenderName[];
  readonly quick: boolean;
  readonly rounds?: number;
  readonly roundSeconds?: number;
  readonly warmUpSeconds?: number;
  readonly threads?: number;
  readonly json: boolean;
  readonly svg?: string;
  readonly docs: boolean;
}

interface ServerOptions extends Place {
  readonly kind: ContenderName;
  readonly service: Service;
  readonly files?: string;
  readonly untilInputEnds: boolean;
}

interface ClientOptions extends Place {
  readonly kind: ContenderName;
  readonly service: Service;
  readonly suite?: readonly Suite[];
  readonly roundSeconds: number;
  readonly driven: boolean;
}

/** `bench`, `bench server` and `bench client`. */
export function createCommand(): Command {
  const program = new Command("bench")
    // Or its own --suite would swallow that of `bench client`.
    .enablePositionalOptions()
    .description("Speed and memory of the transport, beside Spark's own and others, in turns.")
    .option(
      "--suite <name>",
      "run this one or group (rpc, service, master) only; may be repeated",
      choose,
      NOTHING,
    )
    .option("--peer <name>", "jvm, grpc, net or none; may be repeated; default: all", addPeer, [])
    .option("--quick", "shorter rounds, three of them: within two minutes", false)
    .option("--rounds <n>", "rounds of each suite (default: 5)", positive)
    .option("--round-seconds <s>", "length of a round", positive)
    .option("--warm-up-seconds <s>", "of each process, after its start", positive)
    .option("--threads <n>", "event loops of bm serve (default: its own)", positive)
    .option("--json", "print the result as JSON", false)
    .option("--svg <file>", "write the chart of the ratios")
    .option("--docs", `write docs/${PAGE} and docs/${CHART}`, false)
    .action((options: RunOptions) => runCommand(options));
  program.addCommand(createServerCommand());
  program.addCommand(createClientCommand());
  program.addCommand(new Command("service-client").action(runServiceClient), { hidden: true });
  program.addCommand(
    new Command("master-driver")
      .argument("<silenceMs>")
      .action((silenceMs: string) => runClusterDriver(Number(silenceMs))),
    { hidden: true },
  );
  program.addCommand(new Command("master-executors").action(runClusterExecutors), { hidden: true });
  program.addCommand(
    new Command("master-statuses")
      .argument("<maps>")
      .argument("<partitions>")
      .argument("<places>")
      .action((...sizes: readonly string[]) => {
        const [maps = 0, partitions = 0, places = 0] = sizes.map(Number);
        return runStatusHalf({ maps, partitions, places });
      }),
    { hidden: true },
  );
  return program;
}

function createServerCommand(): Command {
  return new Command("server")
    .description("One server of the benchmark's contract, until it is stopped.")
    .addOption(kindOption())
    .addOption(serviceOption())
    .option("--host <address>", "address to bind", "127.0.0.1")
    .requiredOption("--port <n>", "0 lets the system choose", portNumber)
    .option("--files <dir>", "where the file region is or shall be; default: a temporary folder")
    .addOption(new Option("--until-input-ends").hideHelp().default(false))
    .action((options: ServerOptions) => serverAction(options));
}

function createClientCommand(): Command {
  return new Command("client")
    .description("One client of the benchmark's contract: runs a suite against any server.")
    .addOption(kindOption())
    .addOption(serviceOption())
    .requiredOption("--host <address>", "where the server is")
    .requiredOption("--port <n>", "its port", portNumber)
    .option("--suite <name>", "what to run", addSuite, [])
    .option("--round-seconds <s>", "length of the run", positive, 3)
    .addOption(new Option("--driven", "workloads from standard input").hideHelp().default(false))
    .action((options: ClientOptions) => clientAction(options));
}

async function runCommand(options: RunOptions): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  }
  const { master, service, transport } = options.suite;
  if (service.length > 0) await runService(service, options, stop.signal);
  if (master) await runMaster(options);
  if ((service.length > 0 || master) && transport.length === 0) return;
  const report = await runBenchmark(
    {
      suites: transport.length > 0 ? transport : SUITES,
      peers: peersOf(options.peer),
      pace: paceOf(options),
      limitSeconds: options.quick ? QUICK_LIMIT_SECONDS : null,
      command: typedCommand(process.argv.slice(2)),
      say: (text) => console.error(text),
    },
    stop.signal,
  );
  console.log(options.json ? jsonReport(report) : textReport(report));
  if (options.svg !== undefined) writeFileSync(options.svg, ratioChart(report.comparisons));
  if (!options.docs) return;
  writeFileSync(join(DOCS, CHART), ratioChart(report.comparisons));
  writeFileSync(join(DOCS, PAGE), benchmarkPage(report, CHART));
}

function runService(
  suites: readonly ServiceSuite[],
  { json, peer, quick, roundSeconds, rounds, threads, warmUpSeconds }: RunOptions,
  signal: AbortSignal,
): Promise<void> {
  const pace = {
    isQuick: quick,
    rounds: rounds ?? (quick ? 1 : 5),
    roundSeconds: roundSeconds ?? (quick ? 0.2 : 2),
    warmUpSeconds: warmUpSeconds ?? (quick ? 0.2 : 4),
  };
  const withSpark = peersOf(peer).includes("jvm");
  return runServiceSuites({ suites, withSpark, pace, threads: threads ?? null, json }, signal);
}

function runMaster({ json, peer, quick, rounds }: RunOptions): Promise<void> {
  return runMasterSuite({
    withSpark: peersOf(peer).includes("jvm"),
    isQuick: quick,
    rounds: rounds ?? (quick ? 1 : 5),
    json,
  });
}

function typedCommand(args: readonly string[]): string {
  return ["npm run bench", ...(args.length > 0 ? ["--"] : []), ...args].join(" ");
}

function paceOf({ quick, rounds, roundSeconds, warmUpSeconds }: RunOptions): Pace {
  return {
    isQuick: quick,
    rounds: rounds ?? (quick ? 3 : 5),
    roundSeconds: roundSeconds ?? (quick ? 0.15 : 0.6),
    firstWarmUpSeconds: warmUpSeconds ?? (quick ? 2 : 5),
    warmUpSeconds: quick ? 0.1 : 0.5,
  };
}

async function serverAction(options: ServerOptions): Promise<void> {
  const isTemporary = options.files === undefined;
  const directory = options.files ?? mkdtempSync(join(tmpdir(), "bm-bench-"));
  try {
    if (options.kind === "jvm") {
      prepareRegionFile(directory);
      await runInForeground(await serverCommand(halfKind(options), options, directory));
    } else {
      const contender = nodeContender(options.service, options.kind);
      await serve(contender, options, directory, options.untilInputEnds);
    }
  } finally {
    if (isTemporary) rmSync(directory, { recursive: true, force: true });
  }
}

async function clientAction(options: ClientOptions): Promise<void> {
  if (options.driven && options.kind !== "jvm") {
    await drive(nodeContender(options.service, options.kind), options);
    return;
  }
  const [half] = await HalfProcess.start(await clientCommand(halfKind(options), options));
  try {
    for (const suite of options.suite ?? []) {
      const seconds = options.roundSeconds;
      const workload = { ...suite.load, seconds, serverPid: 0 };
      if (suite.measure === "throughput") await half.ask({ ...workload, isWarmUp: true });
      const outcome = await half.ask<Outcome>({ ...workload, isWarmUp: false });
      console.log(JSON.stringify({ suite: suite.name, ...outcome }));
    }
  } finally {
    await half.stop();
  }
}

function runInForeground({ program, args }: HalfCommand): Promise<void> {
  const child = spawn(program, args, { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("exit", () => resolve());
  });
}

function kindOption(): Option {
  return new Option("--kind <name>", "whose half").choices(CONTENDERS).default("ours");
}

function serviceOption(): Option {
  return new Option("--service <name>", "what it offers").choices(SERVICES).default("bytes");
}

function halfKind({ kind, service }: ServerOptions | ClientOptions): HalfKind {
  return { name: kind, service };
}

function peersOf(chosen: readonly string[]): readonly ContenderName[] {
  const all = CONTENDERS.filter((name) => name !== "ours");
  return chosen.length === 0 ? all : all.filter((name) => chosen.includes(name));
}

function choose(name: string, before: Chosen): Chosen {
  if (name === "master") return { ...before, master: true };
  const service = serviceSuitesNamed(name);
  if (service.length > 0) return { ...before, service: [...before.service, ...service] };
  return { ...before, transport: addSuite(name, before.transport) };
}

function addSuite(name: string, before: readonly Suite[] = []): readonly Suite[] {
  const found = SUITE_GROUPS[name] ?? SUITES.filter((suite) => suite.name === name);
  if (found.length > 0) return [...before, ...found];
  const suites = [...SUITES, ...SERVICE_SUITES].map((suite) => suite.name);
  const names = [...Object.keys(SUITE_GROUPS), "service", "master", ...suites].join(", ");
  throw new InvalidArgumentError(`There are: ${names}.`);
}

function addPeer(name: string, before: readonly string[] = []): readonly string[] {
  if (["jvm", "grpc", "net", "none"].includes(name)) return [...before, name];
  throw new InvalidArgumentError("There are: jvm, grpc, net, none.");
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new InvalidArgumentError("A number above zero is wanted.");
}

function portNumber(text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new InvalidArgumentError("A port from 0 to 65535 is wanted.");
}
