/** What the thread of a loop is started with. */
export interface LoopStart {
  readonly host: string | undefined;
  readonly port: number;
  readonly reusePort: boolean;
  readonly data: unknown;
}

/** What a thread tells of its life. The owner tells it one thing, and any message stands for that: close. */
export type LoopEvent =
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "failed"; readonly message: string };

/** Sent to a thread that is to close its server and end. */
export const CLOSE_ORDER = "close";
