/** The shuffle services that can merge pushed blocks: one for each host that has had an executor. */
import { BlockManagerId, SHUFFLE_MERGER_EXECUTOR_ID } from "@bm/block";
import type { Random } from "@bm/transport";
import { MasterError } from "../master-error.ts";
import type { MergerQuery } from "../protocol/merger-messages.ts";

/** Where shuffle services listen, and how many are remembered. */
export interface PushMergerOptions {
  /** Port of the shuffle service on every host (`spark.shuffle.service.port`). */
  readonly servicePort: number;
  /** Hosts that are remembered; the oldest goes first. Default: 500. */
  readonly retainedMax?: number | undefined;
}

const RETAINED_MAX_DEFAULT = 500;
const PORT_MAX = 65_535;

/** See the file comment. */
export class PushMergers {
  readonly #servicePort: number;
  readonly #retainedMax: number;
  readonly #random: Random;
  /** In the order in which they were first seen. */
  readonly #hosts = new Set<string>();

  /** @throws MasterError OPTION_INVALID */
  constructor(
    { servicePort, retainedMax = RETAINED_MAX_DEFAULT }: PushMergerOptions,
    random: Random,
  ) {
    const isPort = Number.isInteger(servicePort) && servicePort > 0 && servicePort <= PORT_MAX;
    if (!isPort || !Number.isInteger(retainedMax) || retainedMax < 1) {
      const detail = `push mergers: servicePort ${servicePort}, retainedMax ${retainedMax}`;
      throw new MasterError("OPTION_INVALID", detail);
    }
    this.#servicePort = servicePort;
    this.#retainedMax = retainedMax;
    this.#random = random;
  }

  /** Takes note of an executor's host. */
  add({ host, isDriver }: BlockManagerId): void {
    if (isDriver || this.#hosts.has(host)) return;
    this.#hosts.add(host);
    const [oldest] = this.#hosts;
    if (this.#hosts.size > this.#retainedMax && oldest !== undefined) this.#hosts.delete(oldest);
  }

  /** Forgets a host, unknown or not. */
  remove(host: string): void {
    this.#hosts.delete(host);
  }

  /**
   * The services on the hosts of live executors, all of them; if they are too few, others by lot until
   * there are enough.
   */
  choose(
    { numMergersNeeded, hostsToFilter }: MergerQuery,
    live: readonly BlockManagerId[],
  ): BlockManagerId[] {
    const refused = new Set(hostsToFilter);
    const liveHosts = live.filter(({ isDriver }) => !isDriver).map(({ host }) => host);
    const near = [...new Set(liveHosts)].filter((host) => !refused.has(host));
    const rest = [...this.#hosts].filter((host) => !refused.has(host) && !near.includes(host));
    while (near.length < numMergersNeeded && rest.length > 0) {
      near.push(...rest.splice(this.#random.below(rest.length), 1));
    }
    return near.map((host) =>
      BlockManagerId.of(SHUFFLE_MERGER_EXECUTOR_ID, host, this.#servicePort),
    );
  }
}
