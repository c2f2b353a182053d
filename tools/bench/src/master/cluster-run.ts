/**
 * A driver and its executors over real connections, in a few processes: they register, report blocks,
 * ask for them, give signs of life, and some are killed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { HalfProcess } from "../contest/half-process.ts";
import type {
  DriverKnowledge,
  DriverLine,
  DriverMemory,
  DriverPlace,
  DriverWork,
} from "./cluster-driver.ts";
import type { ExecutorsLine, ExecutorsOutcome, LookUpPlan } from "./cluster-executors.ts";
import { nodeCommand } from "./node-command.ts";

/** How large the cluster is. */
export interface ClusterShape {
  readonly processes: number;
  readonly executorsEach: number;
  readonly blocksEach: number;
  readonly lookUpSeconds: number;
  /** After which the driver takes executors for dead. */
  readonly silenceMs: number;
}

/** One thing that was measured. */
export interface Phase {
  readonly name: string;
  readonly right: number;
  readonly wrong: number;
  readonly perSecond: number;
  readonly longestMs: number;
  readonly driver: DriverWork;
}

/** What came of it all. */
export interface ClusterResult {
  readonly phases: readonly Phase[];
  readonly before: DriverMemory;
  readonly full: DriverMemory;
  readonly knowledge: DriverKnowledge;
  readonly afterKill: DriverKnowledge;
  /** From the kill until the driver knew, of which the limit of silence is the most. */
  readonly noticedSeconds: number;
}

const PER_MESSAGE = 1000;
const LOOK_UPS_IN_FLIGHT = 4;
/** Of all processes together less than an inbox holds. */
const SINGLE_LOOK_UPS_IN_FLIGHT = 1000;
const BEAT_ROUNDS = 20;
const NOTICE_LIMIT_MS = 60_000;
const POLL_MS = 200;

/** Runs it. Rejects when a process fails; wrong answers are in the result. */
export async function runCluster(
  shape: ClusterShape,
  say: (text: string) => void,
): Promise<ClusterResult> {
  const [driver, place] = await HalfProcess.start<DriverPlace>(
    nodeCommand(["master-driver", String(shape.silenceMs)], ["--expose-gc"]),
  );
  const executors: HalfProcess[] = [];
  try {
    for (let count = 0; count < shape.processes; count++) {
      const [half] = await HalfProcess.start(nodeCommand(["master-executors"]));
      executors.push(half);
    }
    return await new Cluster(shape, driver, executors, say).run(place);
  } finally {
    await Promise.all([driver, ...executors].map((half) => half.stop()));
  }
}

class Cluster {
  readonly #shape: ClusterShape;
  readonly #driver: HalfProcess;
  readonly #executors: HalfProcess[];
  readonly #say: (text: string) => void;
  readonly #phases: Phase[] = [];

  constructor(
    shape: ClusterShape,
    driver: HalfProcess,
    executors: HalfProcess[],
    say: (text: string) => void,
  ) {
    this.#shape = shape;
    this.#driver = driver;
    this.#executors = executors;
    this.#say = say;
  }

  async run({ host, port }: DriverPlace): Promise<ClusterResult> {
    const { blocksEach, executorsEach: count } = this.#shape;
    await this.#phase("register", (at) => {
      return { do: "register", driver: { host, port }, first: at * count, count };
    });
    const before = await this.#ask<DriverMemory>({ do: "memory" });
    await this.#phase("report", () => ({ do: "report", blocksEach, perMessage: PER_MESSAGE }));
    const full = await this.#ask<DriverMemory>({ do: "memory" });
    const knowledge = await this.#ask<DriverKnowledge>({ do: "snapshot" });
    await this.#lookUp("look up", PER_MESSAGE, [0, 0]);
    await this.#lookUp("look up, one block a message", 1, [0, 0]);
    await this.#phase("heartbeat", () => ({ do: "beat", rounds: BEAT_ROUNDS }));
    const noticedSeconds = await this.#killOne();
    const afterKill = await this.#ask<DriverKnowledge>({ do: "snapshot" });
    const survivors = this.#executors.length * count;
    await this.#lookUp("look up after the kill", PER_MESSAGE, [survivors, survivors + count]);
    return { phases: this.#phases, before, full, knowledge, afterKill, noticedSeconds };
  }

  #lookUp(name: string, perMessage: number, dead: readonly [number, number]): Promise<void> {
    const { blocksEach, executorsEach, lookUpSeconds: seconds, processes } = this.#shape;
    const plan: LookUpPlan = {
      seconds,
      perMessage,
      inFlight: perMessage === 1 ? SINGLE_LOOK_UPS_IN_FLIGHT : LOOK_UPS_IN_FLIGHT,
      executors: executorsEach * processes,
      blocksEach,
      dead,
    };
    return this.#phase(name, () => ({ do: "look up", plan }));
  }

  async #phase(name: string, line: (at: number) => ExecutorsLine): Promise<void> {
    await this.#ask<DriverWork>({ do: "work" });
    const outcomes = await Promise.all(
      this.#executors.map((half, at) => half.ask<ExecutorsOutcome>(line(at))),
    );
    const driver = await this.#ask<DriverWork>({ do: "work" });
    const sum = (of: (outcome: ExecutorsOutcome) => number): number => {
      return outcomes.reduce((total, outcome) => total + of(outcome), 0);
    };
    const seconds = Math.max(...outcomes.map((outcome) => outcome.seconds));
    const right = sum((outcome) => outcome.right);
    const longestMs = Math.max(...outcomes.map((outcome) => outcome.longestMs));
    const wrong = sum((outcome) => outcome.wrong);
    this.#phases.push({ name, right, wrong, perSecond: right / seconds, longestMs, driver });
    const perProcessor = Math.round(right / driver.cpuSeconds);
    this.#say(
      `${name}: ${right} right, ${wrong} wrong, ${perProcessor}/s of the driver's processor`,
    );
  }

  /** Kills one process with all its executors; resolves when the driver has given up the last of them. */
  async #killOne(): Promise<number> {
    const victim = this.#executors.pop();
    if (victim === undefined) return 0;
    process.kill(victim.pid, "SIGKILL");
    const start = performance.now();
    const left = this.#executors.length * this.#shape.executorsEach;
    while (performance.now() - start < NOTICE_LIMIT_MS) {
      await sleep(POLL_MS);
      const { managers } = await this.#ask<DriverKnowledge>({ do: "snapshot" });
      if (managers === left) break;
    }
    return (performance.now() - start) / 1000;
  }

  #ask<Answer>(line: DriverLine): Promise<Answer> {
    return this.#driver.ask<Answer>(line);
  }
}
