/** The fields of all commands of a shuffle peer; each uses its own few. */
export interface ShuffleCommand {
  readonly op:
    | "register"
    | "fetch"
    | "push"
    | "remove"
    | "dirs"
    | "finalize"
    | "meta"
    | "removeMerge"
    | "diagnose"
    | "raw"
    | "rawUpload";
  /** Of the service that is asked. */
  readonly port: number;
  readonly appId?: string;
  readonly attemptId?: string;
  /** Of the client; there is one for each application, attempt and configuration. */
  readonly conf?: Readonly<Record<string, string>>;
  readonly exec?: string;
  readonly execs?: readonly string[];
  readonly localDirs?: readonly string[];
  readonly manager?: string;
  readonly blocks?: readonly string[];
  /** What is pushed, in base64. */
  readonly contents?: readonly string[];
  /** Fetch into files of this directory. */
  readonly dir?: string;
  readonly shuffleId?: number;
  readonly mergeId?: number;
  readonly mapId?: number;
  readonly reduceId?: number;
  readonly checksum?: number;
  readonly algorithm?: string;
  readonly hex?: string;
  /** Bytes to upload behind `hex`. */
  readonly size?: number;
}
