/** Tells the rack or zone of a host; null when unknown. Equal texts mean the same place. */
export interface TopologyMapper {
  topologyOf(host: string): string | null;
}

/** Knows of no topology. */
export const defaultTopologyMapper: TopologyMapper = {
  topologyOf: () => null,
};
