/**
 * How statuses reach many executors that are too large to be sent to each: one of them gets them from the
 * driver, the others from each other. This package does not store blocks, whoever does implements it.
 */
export interface StatusesBroadcast {
  /** Makes bytes available to every executor; gives what {@link read} needs, in few bytes. */
  write(bytes: Uint8Array): Promise<Uint8Array>;
  /** The bytes. Rejects when they are gone, or were damaged on the way. */
  read(handle: Uint8Array): Promise<Uint8Array>;
  /** Nobody is told of them any more. Never throws. */
  destroy(handle: Uint8Array): void;
}

/** What broadcasts, and from which size on. */
export interface StatusesPublishing {
  readonly broadcast: StatusesBroadcast | null;
  readonly broadcastBytesMin: number;
}

/** First byte of an answer that is a handle. */
export const TAG_BROADCAST = 1;

interface Published {
  /** What executors are sent. */
  readonly bytes: Uint8Array;
  readonly destroy: () => void;
}

/** Serialised statuses, made once per change and broadcast when they are large. */
export class PublishedStatuses {
  readonly #publishing: StatusesPublishing;
  #current: Promise<Published> | null = null;

  constructor(publishing: StatusesPublishing) {
    this.#publishing = publishing;
  }

  /** What executors are sent; `serialize` makes it where it was dropped. */
  async bytes(serialize: () => Promise<Uint8Array>): Promise<Uint8Array> {
    this.#current ??= serialize().then((bytes) => this.#publish(bytes));
    return (await this.#current).bytes;
  }

  /** They have changed. Who was sent the former ones fails to read them, and asks again. */
  drop(): void {
    this.#current?.then(
      ({ destroy }) => destroy(),
      () => {},
    );
    this.#current = null;
  }

  async #publish(bytes: Uint8Array): Promise<Published> {
    const { broadcast, broadcastBytesMin } = this.#publishing;
    if (broadcast === null || bytes.length < broadcastBytesMin) return { bytes, destroy: () => {} };
    const handle = await broadcast.write(bytes);
    const destroy = (): void => broadcast.destroy(handle);
    return { bytes: Buffer.concat([Uint8Array.of(TAG_BROADCAST), handle]), destroy };
  }
}

/** The statuses of an answer, wherever they are. */
export async function publishedBytes(
  answer: Uint8Array,
  broadcast: StatusesBroadcast | null,
): Promise<Uint8Array> {
  if (answer[0] !== TAG_BROADCAST || broadcast === null) return answer;
  return broadcast.read(answer.subarray(1));
}
