import type { Application, ServiceMeeting } from "../service-meeting.ts";

/** One thing that a client asks of a service, and what comes of it when both are Spark's. */
export interface ServiceCase {
  readonly name: string;
  /** The messages that it is about, as the protocol calls them. */
  readonly messages: readonly string[];
  /** Releases of Spark that know the messages; all of them when it is not given. */
  readonly versions?: RegExp;
  readonly run: (application: Application, meeting: ServiceMeeting) => Promise<unknown>;
  readonly expected: unknown;
}
