/** Requests whose answers are small: registrations, and diagnoses of corrupt blocks. */
import type { JobOutcome } from "../client/client-job.ts";
import type { ServiceProcess } from "../service-process.ts";
import type { Round, ServiceSuite } from "../service-suite.ts";
import type { ShuffleOutputs } from "../shuffle-outputs.ts";
import type { Stage } from "../stage.ts";
import { atLeast, ratio } from "./figures.ts";
import { SMALL, SMALL_QUICK } from "./outputs.ts";

/** Diagnoses of blocks that are sound. */
export function diagnoseSuite(
  name: string,
  title: string,
  whole: ShuffleOutputs,
  window: number,
): ServiceSuite {
  return {
    name,
    title,
    figures: [ratio("diagnoses/s", "/s", atLeast(1)), ratio("server CPU", "us/diagnosis", null)],
    roundsMax: Number.MAX_SAFE_INTEGER,
    isWarmedUp: true,
    run: async (stage) => {
      const outputs = stage.pace.isQuick && whole === SMALL ? SMALL_QUICK : whole;
      stage.files.have(outputs);
      const service = await stage.living();
      const { port } = service;
      const before = service.cpuSeconds;
      const { seconds } = stage;
      const outcome = await stage.ask({ kind: "diagnose", port, outputs, window, seconds });
      return {
        "diagnoses/s": outcome.operations / outcome.seconds,
        "server CPU": ((service.cpuSeconds - before) / outcome.operations) * 1e6,
      };
    },
  };
}

/** Registrations of new executors. */
export const registerSuite: ServiceSuite = {
  name: "service-register",
  title: "executors registered durably, 16 connections with 16 requests in flight each",
  figures: [ratio("executors/s", "/s", atLeast(1)), ratio("server CPU", "us/executor", null)],
  roundsMax: Number.MAX_SAFE_INTEGER,
  isWarmedUp: true,
  run: register,
};

async function register(stage: Stage): Promise<Round> {
  const service = await stage.living();
  const before = service.cpuSeconds;
  const outcome = await registerMany(stage, service, { seconds: stage.seconds });
  return {
    "executors/s": outcome.operations / outcome.seconds,
    "server CPU": ((service.cpuSeconds - before) / outcome.operations) * 1e6,
  };
}

/** Registers executors under ids of their own until count or time is up. */
export function registerMany(
  stage: Stage,
  service: ServiceProcess,
  amount: { readonly seconds?: number; readonly count?: number; readonly prefix?: string },
): Promise<JobOutcome> {
  const { count = Number.MAX_SAFE_INTEGER, prefix = stage.nextPrefix(), seconds = 600 } = amount;
  return stage.ask({
    kind: "register",
    port: service.port,
    localDir: stage.files.localDir,
    connections: 16,
    window: 16,
    prefix,
    seconds,
    countMax: count,
  });
}
