/** Name of the driver's endpoint for everything but heartbeats. */
export const MASTER_ENDPOINT_NAME = "BlockManagerMaster";
/** Name of the driver's endpoint for block managers' heartbeats: removals do not hold them up. */
export const MASTER_HEARTBEAT_ENDPOINT_NAME = "BlockManagerMasterHeartbeat";
/** Name of the driver's endpoint for executors' heartbeats. */
export const HEARTBEAT_RECEIVER_ENDPOINT_NAME = "HeartbeatReceiver";
