/** Asks a Spark standalone master, through the JSON of its web page, which applications have ended. */
import type { Clock } from "@bm/transport";
import { CliError } from "../cli-error.ts";

const ANSWER_TIMEOUT_MS = 10_000;
/** A page with a thousand applications has about 1 MiB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Gives those of `appIds` that the master lists as completed. An application that it does not list at
 * all may belong to another master and counts as running.
 * @throws CliError when the master cannot be asked (rejects).
 */
export async function endedApplications(
  master: string,
  appIds: readonly string[],
  clock: Clock,
): Promise<string[]> {
  const page = await readPage(new URL("/json/", master), clock);
  const active = idsOf(page["activeapps"]);
  const completed = idsOf(page["completedapps"]);
  return appIds.filter((appId) => completed.has(appId) && !active.has(appId));
}

async function readPage(url: URL, clock: Clock): Promise<Readonly<Record<string, unknown>>> {
  const abort = new AbortController();
  const timer = clock.setTimer(ANSWER_TIMEOUT_MS, () => abort.abort());
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const page: unknown = JSON.parse(await readText(response));
    return typeof page === "object" && page !== null ? { ...page } : {};
  } catch (error) {
    throw new CliError(`--spark-master ${url.href}: ${(error as Error).message}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error("the page is too large");
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function idsOf(applications: unknown): Set<string> {
  if (!Array.isArray(applications)) return new Set();
  const ids = applications.map((entry: unknown) =>
    typeof entry === "object" && entry !== null && "id" in entry ? entry.id : null,
  );
  return new Set(ids.filter((id) => typeof id === "string"));
}
