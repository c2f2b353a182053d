import type { ServiceConf } from "../service-conf.ts";
import { FairQuota, type QuotaConnection } from "./fair-quota.ts";

/** What applications may hold at once, each of them, in one event loop. Beyond it they wait. */
export class ApplicationQuotas {
  /** Bytes of chunks that are being sent. */
  readonly sending: FairQuota;
  /** Streams with chunks that were not asked for yet. */
  readonly streams: FairQuota;

  /** @param loops event loops that share the quotas */
  constructor(conf: ServiceConf, loops: number) {
    this.sending = new FairQuota(sendingMax(conf, loops));
    this.streams = new FairQuota(streamsMax(conf, loops));
  }

  /** Takes the limits of another configuration. */
  configure(conf: ServiceConf, loops: number): void {
    this.sending.setMax(sendingMax(conf, loops));
    this.streams.setMax(streamsMax(conf, loops));
  }

  /** Nothing waits for this connection any more. */
  connectionEnded(connection: QuotaConnection): void {
    this.sending.connectionEnded(connection);
    this.streams.connectionEnded(connection);
  }
}

function sendingMax(conf: ServiceConf, loops: number): number {
  return shareOf(conf.bytes("bm.service.application.sending.size"), loops);
}

function streamsMax(conf: ServiceConf, loops: number): number {
  return shareOf(conf.count("bm.service.application.openStreams.max"), loops);
}

/** 0 stands for no quota. */
function shareOf(whole: number, loops: number): number {
  return whole === 0 ? Number.POSITIVE_INFINITY : Math.ceil(whole / loops);
}
