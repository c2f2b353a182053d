import type { ExternalShuffleService, ServiceConf } from "@bm/shuffle";
import type { ServePlan } from "./serve-options.ts";

/** The first lines of a service: what it serves, to whom, from where, and within which limits. */
export function serveBanner(
  service: ExternalShuffleService,
  plan: ServePlan,
  httpAddress: string | null,
): string[] {
  const { registry } = service.parts;
  const applications = registry.applicationIds.length;
  const known = `${registry.size} executors of ${applications} applications`;
  const loops = service.loopCount === 1 ? "one event loop" : `${service.loopCount} event loops`;
  return [
    `bm serve: external shuffle service, process ${process.pid}`,
    `  shuffle   port ${service.port} on ${plan.host ?? "every interface"}, ${loops}`,
    `  http      ${httpAddress === null ? "off" : `${httpAddress} (/healthz /readyz /metrics)`}`,
    `  dirs      ${plan.dirs.length === 0 ? "any (give --dir to restrict them)" : plan.dirs.join(", ")}`,
    "  security  none: whoever reaches the port may read every application's shuffle files",
    `  database  ${plan.database ?? "none, a restart forgets every executor"}; ${known}`,
    `  merging   ${service.conf.mergesPushedBlocks ? "pushed blocks are merged" : "refused, as Spark does outside YARN"}`,
    `  expiry    ${expiryOf(service, plan)}`,
    `  orphans   ${orphansOf(service, plan)}`,
    `  limits    ${limitsOf(service).join(", ")}`,
  ];
}

function expiryOf({ conf }: ExternalShuffleService, { sparkMaster }: ServePlan): string {
  const grace = conf.text("bm.service.expiry.grace");
  const missing = `executors whose directories are gone for ${grace} are forgotten`;
  return sparkMaster === null
    ? missing
    : `${missing}, and applications that ${sparkMaster} calls completed`;
}

function orphansOf({ conf }: ExternalShuffleService, { dirs }: ServePlan): string {
  const interval = conf.text("bm.service.cleanup.interval");
  if (dirs.length === 0) return "not looked for without --dir";
  if (conf.durationMs("bm.service.cleanup.interval") === 0) return "not looked for";
  const act = conf.orphanPolicy.isDeleting ? "deleted" : "reported and left alone";
  const age = conf.text("bm.service.cleanup.age");
  return `what nobody owns or touched for ${age} is ${act}, looked for every ${interval}`;
}

function limitsOf({ conf }: ExternalShuffleService): string[] {
  const chunks = conf.transport.maxChunksBeingTransferred;
  return [
    `${conf.count("bm.service.registeredExecutors.max")} executors`,
    `${conf.text("spark.shuffle.service.index.cache.size")} of indexes`,
    `${conf.text("bm.service.openReferences.size")} of opened blocks`,
    `${conf.count("bm.service.lookups.max")} lookups at once`,
    ...quotasOf(conf),
    `${chunks === Number.MAX_SAFE_INTEGER ? "any number of" : chunks} chunks in transfer`,
    `idle connections end after ${conf.transport.connectionTimeoutMs / 1000} s`,
    `${conf.text("bm.service.drain.timeout")} to drain`,
  ];
}

function quotasOf(conf: ServiceConf): string[] {
  const { runningMaxPerApplication } = conf.lookupLimits(1);
  const sending = conf.text("bm.service.application.sending.size");
  const streams = conf.count("bm.service.application.openStreams.max");
  return [
    `of these ${runningMaxPerApplication} for one application`,
    ...(conf.bytes("bm.service.application.sending.size") === 0
      ? []
      : [`${sending} being sent for one`]),
    ...(streams === 0 ? [] : [`${streams} streams of one`]),
  ];
}
