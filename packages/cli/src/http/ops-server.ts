/**
 * What operators and their tools ask a service over HTTP.
 *
 *     GET /healthz   200 while the process answers
 *     GET /readyz    200 while it takes shuffle clients, 503 from the beginning of a drain
 *     GET /metrics   Prometheus text
 *     GET /directories   what executors registered: a JSON string a line, then the line `end`
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { ExternalShuffleService } from "@bm/shuffle";
import type { ServiceMetricsText } from "./service-metrics-text.ts";

/**
 * Not imported: an import asks for everything that the module exports, and some of that loads Node's
 * fetch. Without that and the library for metrics an idle service takes 65 MiB instead of 80.
 */
const { createServer } = process.getBuiltinModule("node:http");

/** Where to listen. */
export interface OpsAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Slow or idle clients are cut off: a few connections are enough for a scraper. */
const CONNECTIONS_MAX = 64;
const HEADER_BYTES_MAX = 8 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const UNCACHED = { "cache-control": "no-store" };

/** See the file comment. Made by `start`. */
export class OpsServer {
  readonly #server: Server;
  readonly #service: ExternalShuffleService;
  #metrics: Promise<ServiceMetricsText> | null = null;
  #isDraining = false;

  private constructor(service: ExternalShuffleService) {
    this.#service = service;
    const options = { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_TIMEOUT_MS };
    this.#server = createServer(options, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws Node's error when the address cannot be bound (rejects). */
  static async start(service: ExternalShuffleService, address: OpsAddress): Promise<OpsServer> {
    const ops = new OpsServer(service);
    const { promise, reject, resolve } = Promise.withResolvers<void>();
    ops.#server.once("error", reject).listen(address.port, address.host, resolve);
    await promise;
    return ops;
  }

  /** `host:port` that is listened on. */
  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") return "closed";
    const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
    return `${host}:${address.port}`;
  }

  /** From now on the service is alive and not ready. */
  setDraining(): void {
    this.#isDraining = true;
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!isRead) return send(response, 405, "only GET\n");
    switch (new URL(request.url ?? "", "http://localhost").pathname) {
      case "/healthz":
        return send(response, 200, "ok\n");
      case "/readyz":
        return this.#isDraining
          ? send(response, 503, "draining\n")
          : send(response, 200, "ready\n");
      case "/metrics":
        return this.#sendMetrics(response);
      case "/directories":
        return this.#sendDirectories(response);
      default:
        return send(response, 404, "there are /healthz, /readyz, /metrics and /directories\n");
    }
  }

  async #sendMetrics(response: ServerResponse): Promise<void> {
    this.#metrics ??= this.#loadMetrics();
    const metrics = await this.#metrics;
    send(response, 200, await metrics.text(), metrics.contentType);
  }

  /** When they are first asked for: not every service is scraped. */
  async #loadMetrics(): Promise<ServiceMetricsText> {
    const { ServiceMetricsText: Text } = await import("./service-metrics-text.ts");
    return new Text(this.#service);
  }

  #sendDirectories(response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8", ...UNCACHED });
    Readable.from(directoryLines(this.#service)).pipe(response);
  }
}

function* directoryLines({ parts }: ExternalShuffleService): Generator<string> {
  for (const appId of parts.registry.applicationIds) {
    for (const { localDirs } of parts.registry.executorsOf(appId).values()) {
      for (const dir of localDirs) yield `${JSON.stringify(dir)}\n`;
    }
  }
  yield "end\n";
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "content-type": contentType, ...UNCACHED }).end(text);
}
