/** What a driver that is a process of its own and whoever started it say to each other. */
import type { InputSplit } from "./input.ts";
import type { JobReport } from "./job.ts";
import type { WordCountOptions } from "./options.ts";

/** To the driver. */
export type ToDriver =
  | {
      readonly kind: "start";
      readonly options: WordCountOptions;
      readonly directory: string;
      readonly masterStateDir: string;
    }
  | { readonly kind: "run"; readonly splits: readonly InputSplit[] }
  | { readonly kind: "executorLost"; readonly executorId: string; readonly how: string };

/** From the driver. */
export type FromDriver =
  | { readonly kind: "listening"; readonly address: string }
  | { readonly kind: "ready"; readonly cast: string }
  | { readonly kind: "midShuffle" }
  | { readonly kind: "done"; readonly report: JobReport }
  | { readonly kind: "failed"; readonly error: Error };
