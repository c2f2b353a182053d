/**
 * The rack or zone of each host from a file, which `spark.storage.replication.topologyFile` names in
 * Spark: `host = /rack`, one a line, in the syntax of Java's properties.
 */
import { type Files, type Logger, nodePlatform, silentLogger } from "@bm/transport";
import { MasterError } from "../master-error.ts";
import { parseProperties } from "./java-properties.ts";
import type { TopologyMapper } from "./topology-mapper.ts";

/** What {@link FileBasedTopologyMapper.load} takes. */
export interface FileBasedTopologyMapperOptions {
  readonly topologyFile: string;
  /** Default: those of the real machine. */
  readonly files?: Files | undefined;
  /** Told of hosts that are not in the file. Default: says nothing. */
  readonly logger?: Logger | undefined;
}

/** Hosts of a thousand large clusters; nobody names such a file on purpose. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** See the file comment. */
export class FileBasedTopologyMapper implements TopologyMapper {
  readonly #topologies: ReadonlyMap<string, string>;
  readonly #logger: Logger;
  readonly #topologyFile: string;

  private constructor(
    topologies: ReadonlyMap<string, string>,
    options: FileBasedTopologyMapperOptions,
  ) {
    this.#topologies = topologies;
    this.#logger = options.logger ?? silentLogger;
    this.#topologyFile = options.topologyFile;
  }

  /**
   * Reads the file once. It is UTF-8; where a host stands twice the last line counts.
   * @throws MasterError OPTION_INVALID - no such file, too large, or a bad line (rejects).
   */
  static async load(options: FileBasedTopologyMapperOptions): Promise<FileBasedTopologyMapper> {
    const { topologyFile, files = nodePlatform().files } = options;
    try {
      const stat = await files.stat(topologyFile);
      if (!stat?.isFile) throw new RangeError("there is no such file");
      if (stat.bytes > FILE_BYTES_MAX) throw new RangeError(`${stat.bytes} bytes`);
      const text = new TextDecoder().decode(await files.readFile(topologyFile));
      const topologies = new Map(
        [...parseProperties(text)].map(([host, topology]) => [host, topology.trim()]),
      );
      return new FileBasedTopologyMapper(topologies, options);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new MasterError("OPTION_INVALID", `topology file ${topologyFile}: ${why}`, { cause });
    }
  }

  topologyOf(host: string): string | null {
    const topology = this.#topologies.get(host);
    if (topology !== undefined) return topology;
    this.#logger.warn(`host ${host} is not in the topology file ${this.#topologyFile}`);
    return null;
  }
}
