import type { AnswerBudget } from "../server/answer-budget.ts";

/**
 * Plain counters of one context. Reading them costs nothing when nobody does; an exporter polls
 * `snapshot()`.
 */
export class TransportMetrics {
  readonly #module: string;
  readonly #answers: AnswerBudget;
  #registeredConnections = 0;
  #caughtExceptions = 0;
  #acceptedConnections = 0;

  /** `module` is the prefix of the names that Spark has for the same figures. */
  constructor(module: string, answers: AnswerBudget) {
    this.#module = module;
    this.#answers = answers;
  }

  /** Connections that are up, in both directions. Spark: `numRegisteredConnections`. */
  get registeredConnections(): number {
    return this.#registeredConnections;
  }

  channelRegistered(): void {
    this.#registeredConnections += 1;
    this.#acceptedConnections += 1;
  }

  channelUnregistered(): void {
    this.#registeredConnections -= 1;
  }

  exceptionCaught(): void {
    this.#caughtExceptions += 1;
  }

  /**
   * Current figures by name. `answerBytesInFlight` and `numAnswersWaiting` belong to
   * `bm.<module>.answersInFlight.size`, `numAnswersDelayedTotal` counts what ever had to wait. Memory
   * is what Node holds for buffers in the whole process, which is what Spark reports too when its
   * allocators are shared.
   */
  snapshot(): Readonly<Record<string, number>> {
    const memory = process.memoryUsage();
    const usedHeapMemory = memory.heapUsed;
    const usedDirectMemory = memory.arrayBuffers;
    return {
      numRegisteredConnections: this.#registeredConnections,
      numConnectionsTotal: this.#acceptedConnections,
      numCaughtExceptions: this.#caughtExceptions,
      answerBytesInFlight: this.#answers.bytesInFlight,
      numAnswersWaiting: this.#answers.waitingCount,
      numAnswersDelayedTotal: this.#answers.delayedCount,
      [`${this.#module}-server.usedHeapMemory`]: usedHeapMemory,
      [`${this.#module}-server.usedDirectMemory`]: usedDirectMemory,
      [`${this.#module}-client.usedHeapMemory`]: usedHeapMemory,
      [`${this.#module}-client.usedDirectMemory`]: usedDirectMemory,
    };
  }
}
