/** Spark's keys, as an operator would set them: a lost executor on one machine is noticed quickly. */
export const SHUFFLE_CONF: Readonly<Record<string, string>> = {
  "spark.shuffle.io.maxRetries": "1",
  "spark.shuffle.io.retryWait": "1s",
  "spark.shuffle.compress": "true",
};
