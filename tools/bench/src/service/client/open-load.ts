/** Opens blocks that nobody fetches, and keeps their connection. */
import { decodeBlockTransferMessage, encodeBlockTransferMessage } from "@bm/shuffle";
import type { TransportClient } from "@bm/transport";
import { APP_ID, EXECUTOR_ID } from "../shuffle-outputs.ts";
import type { OpenJob } from "./client-job.ts";
import { connect } from "./connect.ts";
import type { Counted } from "./counted.ts";

let holder: TransportClient | null = null;

/** Its connection stays open until `forgetOpened`. */
export async function openBlocks(job: OpenJob): Promise<Counted> {
  const startedMs = performance.now();
  holder ??= await connect(job.port);
  let operations = 0;
  for (let stream = 0; stream < job.streams; stream += 1) {
    const answer = decodeBlockTransferMessage(await holder.sendRpc(requestOf(job, stream)));
    if (answer.type !== "StreamHandle") throw new Error(`not a stream handle: ${answer.type}`);
    operations += answer.numChunks;
  }
  return { operations, bytes: 0, seconds: (performance.now() - startedMs) / 1000 };
}

/** Ends the connection. */
export async function forgetOpened(): Promise<Counted> {
  await holder?.close();
  holder = null;
  return { operations: 0, bytes: 0, seconds: 0 };
}

/** Every stream has maps and partitions of its own choice, as those of a real shuffle do. */
function requestOf(job: OpenJob, stream: number): Uint8Array {
  const { mapsPerStream, outputs, partitionsPerStream } = job;
  const first = stream % (outputs.partitions - partitionsPerStream + 1);
  const partitions = Array.from({ length: partitionsPerStream }, (_, at) => first + at);
  const maps = Array.from({ length: mapsPerStream }, (_, at) => at);
  return encodeBlockTransferMessage({
    type: "FetchShuffleBlocks",
    appId: APP_ID,
    execId: EXECUTOR_ID,
    shuffleId: outputs.shuffleId,
    mapIds: maps.map((map) => BigInt(map)),
    reduceIds: maps.map(() => partitions),
    batchFetchEnabled: false,
  });
}
