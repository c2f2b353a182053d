/** Our side of the contest of map statuses. The same statuses as those of MapStatusBench.java. */
import { BlockManagerId } from "@bm/block";
import {
  CompressedSizes,
  deserializeStatuses,
  MapOutputTrackerMaster,
  MapStatus,
} from "@bm/master";
import { serveLines } from "./line-server.ts";
import type { StatusRound, StatusShape } from "./status-contest.ts";

const SHUFFLE_ID = 1;
const CODE_LEAST = 100;
const CODES_MASK = 15;

/** Answers each line of input by a round. */
export function runStatusHalf(shape: StatusShape): Promise<void> {
  const tracker = new MapOutputTrackerMaster();
  tracker.registerShuffle(SHUFFLE_ID, shape.maps);
  let mapIndex = 0;
  let last: MapStatus | null = null;
  for (const status of statusesOf(shape)) {
    tracker.registerMapOutput(SHUFFLE_ID, mapIndex, status);
    mapIndex += 1;
    last = status;
  }
  if (last === null) throw new Error("no maps");
  const lastStatus = last;
  return serveLines({}, () => round(tracker, shape.maps, lastStatus));
}

async function round(
  tracker: MapOutputTrackerMaster,
  maps: number,
  lastStatus: MapStatus,
): Promise<StatusRound> {
  const last = maps - 1;
  // A change: what was serialised before does not count any more.
  tracker.registerMapOutput(SHUFFLE_ID, last, lastStatus);
  const before = process.cpuUsage();
  const start = performance.now();
  const bytes = await tracker.serializedStatuses(SHUFFLE_ID);
  const serialized = performance.now();
  const { byMapIndex, numMaps } = await deserializeStatuses(SHUFFLE_ID, bytes);
  const end = performance.now();
  const { user, system } = process.cpuUsage(before);
  const read = byMapIndex.get(last);
  const isSame =
    byMapIndex.size === maps &&
    numMaps === maps &&
    read?.mapId === lastStatus.mapId &&
    read.sizeOf(0) === lastStatus.sizeOf(0);
  if (!isSame) throw new Error("other statuses came back");
  const [serializeMs, deserializeMs] = [serialized - start, end - serialized];
  return { serializeMs, deserializeMs, cpuMs: (user + system) / 1000, bytes: bytes.length };
}

function* statusesOf({ maps, partitions, places }: StatusShape): Generator<MapStatus, void, void> {
  const ids = Array.from({ length: places }, (_, place) =>
    BlockManagerId.of(String(place), `host-${place}`, 7000 + place),
  );
  let state = 1;
  for (let map = 0; map < maps; map++) {
    const codes = new Uint8Array(partitions);
    for (let partition = 0; partition < partitions; partition++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      codes[partition] = CODE_LEAST + (state & CODES_MASK);
    }
    const location = ids[map % places] as BlockManagerId;
    const sizes = new CompressedSizes(codes);
    yield new MapStatus({ location, mapId: BigInt(1_000_000 + map), sizes });
  }
}
