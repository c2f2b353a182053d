import type { ExecutorShuffleInfo } from "../protocol/block-transfer-message.ts";

/** An executor that said where it writes. */
export interface RegisteredExecutor {
  readonly appId: string;
  readonly execId: string;
  readonly info: ExecutorShuffleInfo;
}

/** One change of what is registered. */
export type ExecutorChange =
  | ({ readonly kind: "put" } & RegisteredExecutor)
  | { readonly kind: "remove"; readonly appId: string; readonly execId: string };

/** Where registrations outlive the process. */
export interface ExecutorStore {
  /** For people: what it is and where. */
  readonly description: string;
  /** Hands every registration that is kept to `visit`, in no order. Called once, before `write`. */
  load(visit: (executor: RegisteredExecutor) => void): Promise<void>;
  /**
   * Makes changes durable, all or none; one call at a time. @throws ShuffleError CLOSED or the
   * store's own error (rejects).
   */
  write(changes: readonly ExecutorChange[]): Promise<void>;
  /** Called once, after `load`: where every registration can be had again should they get lost. */
  restoreFrom?(all: () => Iterable<RegisteredExecutor>): void;
  /** Looks whether what was written is still there, and restores it otherwise. Never rejects. */
  check?(): Promise<void>;
  /** Safe to call twice. */
  close(): Promise<void>;
}

/** Keeps nothing: after a restart every executor is unknown. */
export const forgetfulStore: ExecutorStore = {
  description: "none, a restart forgets every executor",
  load: () => Promise.resolve(),
  write: () => Promise.resolve(),
  close: () => Promise.resolve(),
};
