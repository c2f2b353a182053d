/**
 * A share of something that each application may hold at once. What does not fit waits, the connections
 * of an application in turns; nothing is refused.
 *
 * A connection that holds nothing is always let through, so that one whose peer stopped reading holds up
 * no other for ever, and anything larger than the whole quota goes alone.
 */

/** Whatever tells one connection from another. */
export type QuotaConnection = object;

interface Waiting {
  readonly amount: number;
  readonly resolve: (isTaken: boolean) => void;
}

/** One connection of one application. */
interface Lane {
  readonly application: Application;
  readonly connection: QuotaConnection;
  held: number;
  /** From `next` on. */
  readonly waiting: Waiting[];
  next: number;
}

interface Application {
  readonly appId: string;
  held: number;
  lanes: number;
  /** Lanes in which somebody waits, in the order of their turns. */
  readonly turns: Set<Lane>;
}

/** See the file comment. */
export class FairQuota {
  #max: number;
  readonly #applications = new Map<string, Application>();
  /** Lanes that hold something or in which somebody waits. */
  readonly #lanes = new Map<QuotaConnection, Map<string, Lane>>();
  #waiting = 0;
  #waits = 0;

  /** @param max what one application may hold; Infinity for no quota. */
  constructor(max: number) {
    this.#max = max;
  }

  /** False when there is no quota: then nothing need be taken. */
  get isOn(): boolean {
    return this.#max !== Number.POSITIVE_INFINITY;
  }

  /** How many wait now. */
  get waiting(): number {
    return this.#waiting;
  }

  /** How many had to wait so far. */
  get waits(): number {
    return this.#waits;
  }

  /** What each application holds. */
  *held(): Generator<[appId: string, amount: number]> {
    for (const [appId, { held }] of this.#applications) yield [appId, held];
  }

  /** Another maximum from now on; what is held stays. */
  setMax(max: number): void {
    this.#max = max;
    for (const application of this.#applications.values()) this.#letThrough(application);
  }

  /**
   * Takes an amount: null when it is taken at once, else a promise of true when it is. False: the
   * connection ended first, and nothing is held.
   */
  take(appId: string, connection: QuotaConnection, amount: number): Promise<boolean> | null {
    const lane = this.#laneOf(appId, connection);
    if (this.#mayTake(lane, amount)) {
      lane.application.held += amount;
      lane.held += amount;
      return null;
    }
    this.#waiting += 1;
    this.#waits += 1;
    lane.application.turns.add(lane);
    return new Promise((resolve) => lane.waiting.push({ amount, resolve }));
  }

  /** Gives back what was taken; those who wait for it are let through. */
  giveBack(appId: string, connection: QuotaConnection, amount: number): void {
    const lane = this.#lanes.get(connection)?.get(appId);
    if (lane === undefined) return;
    const { application } = lane;
    application.held -= amount;
    lane.held -= amount;
    if (lane.held === 0 && application.turns.has(lane)) this.#letOneThrough(lane);
    this.#letThrough(application);
    this.#forgetIdle(lane);
  }

  /** Nobody waits for this connection any more; what it holds is given back by whoever took it. */
  connectionEnded(connection: QuotaConnection): void {
    for (const lane of this.#lanes.get(connection)?.values() ?? []) {
      for (const { resolve } of lane.waiting.slice(lane.next)) {
        this.#waiting -= 1;
        resolve(false);
      }
      lane.waiting.length = lane.next = 0;
      lane.application.turns.delete(lane);
      this.#forgetIdle(lane);
    }
  }

  #laneOf(appId: string, connection: QuotaConnection): Lane {
    const lanes = this.#lanes.get(connection) ?? new Map<string, Lane>();
    this.#lanes.set(connection, lanes);
    const known = lanes.get(appId);
    if (known !== undefined) return known;
    const application = this.#applications.get(appId) ?? newApplication(appId);
    this.#applications.set(appId, application);
    application.lanes += 1;
    const lane: Lane = { application, connection, held: 0, waiting: [], next: 0 };
    lanes.set(appId, lane);
    return lane;
  }

  /** Nobody overtakes those who wait, except a connection that holds nothing. */
  #mayTake(lane: Lane, amount: number): boolean {
    if (lane.waiting.length > lane.next) return false;
    return lane.held === 0 || (lane.application.turns.size === 0 && this.#fits(lane, amount));
  }

  #fits({ application, held }: Lane, amount: number): boolean {
    return held === 0 || application.held + amount <= this.#max;
  }

  /** Whoever's turn it is waits until there is room: a small one does not overtake a large one. */
  #letThrough({ turns }: Application): void {
    for (;;) {
      const [lane] = turns;
      const first = lane?.waiting[lane.next];
      if (lane === undefined || first === undefined || !this.#fits(lane, first.amount)) return;
      this.#letOneThrough(lane);
    }
  }

  #letOneThrough(lane: Lane): void {
    const first = lane.waiting[lane.next];
    if (first === undefined) return;
    const { application } = lane;
    application.held += first.amount;
    lane.held += first.amount;
    this.#waiting -= 1;
    lane.next += 1;
    application.turns.delete(lane);
    if (lane.next < lane.waiting.length) application.turns.add(lane);
    else lane.waiting.length = lane.next = 0;
    first.resolve(true);
  }

  #forgetIdle(lane: Lane): void {
    const { application, connection } = lane;
    if (lane.held > 0 || lane.waiting.length > lane.next) return;
    const lanes = this.#lanes.get(connection);
    if (lanes?.get(application.appId) !== lane) return;
    lanes.delete(application.appId);
    if (lanes.size === 0) this.#lanes.delete(connection);
    application.lanes -= 1;
    if (application.lanes === 0) this.#applications.delete(application.appId);
  }
}

function newApplication(appId: string): Application {
  return { appId, held: 0, lanes: 0, turns: new Set() };
}
