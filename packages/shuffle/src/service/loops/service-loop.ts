/**
 * The module that an event loop of a service runs, beside the owner's: serves files by itself, and
 * asks the owner for everything else.
 */
import {
  type Logger,
  type LoopLine,
  nodePlatform,
  runServerLoop,
  type ServerLoop,
  type TransportServer,
} from "@bm/transport";
import { type BlockServing, configureServing, serveBlocks } from "../block-serving.ts";
import { ExecutorRegistry } from "../executor-registry.ts";
import { LocalDirsGuard } from "../local-dirs-guard.ts";
import { ShuffleServiceMetrics } from "../metrics/shuffle-service-metrics.ts";
import { nodeRealPath } from "../platform/real-path.ts";
import { ServiceConf } from "../service-conf.ts";
import { gaugesOf } from "../service-gauges.ts";
import type { LoopNews, LoopQuestion, OwnerNews, ServiceLoopData } from "./loop-messages.ts";
import { MergeManagerLink } from "./merge-manager-link.ts";
import { MetricsReporter } from "./metrics-report.ts";
import { ownerStore } from "./owner-store.ts";

runServerLoop(serve);

async function serve({ address, data, line }: ServerLoop): Promise<TransportServer> {
  const { conf: values, loops, roots } = data as ServiceLoopData;
  const platform = nodePlatform();
  let conf = new ServiceConf(values);
  let serving: BlockServing | null = null;
  const executorsMax = conf.count("bm.service.registeredExecutors.max");
  const registry = ExecutorRegistry.replica({ store: ownerStore(line), executorsMax });
  const mergeManager = new MergeManagerLink(line, platform.files);
  const metrics = new ShuffleServiceMetrics(platform.clock);
  const reporter = new MetricsReporter(metrics);
  line.hearWith({
    onMessage: (body) => {
      const news = body as LoopNews;
      if (news.type !== "reconfigure") mergeManager.hear(news);
      else {
        conf = new ServiceConf(news.conf);
        if (serving !== null) configureServing(serving, conf, loops);
      }
    },
    onAsk: (body) => {
      const question = body as LoopQuestion;
      if (question.type === "report") {
        return serving === null ? null : reporter.report(gaugesOf({ ...serving, metrics }));
      }
      return registry.applyAll(question.changes);
    },
  });
  await registry.load();
  const verifyAtRead = conf.boolean("spark.shuffle.service.verifyBlockPathsAtRead");
  const guard = new LocalDirsGuard({ roots, realPath: nodeRealPath, verifyAtRead });
  const logger = ownerLogger(line);
  const parts = { conf, loops, platform, logger, metrics, guard, registry, mergeManager };
  // Nobody asks for a report before the loop listens; other limits may have come meanwhile.
  serving = await serveBlocks(parts, address);
  configureServing(serving, conf, loops);
  return serving.server;
}

/** What a loop has to say is the owner's to write down. */
function ownerLogger(line: LoopLine): Logger {
  const say =
    (level: keyof Logger) =>
    (text: string): void =>
      line.post({ type: "log", level, text } satisfies OwnerNews);
  return { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
}
