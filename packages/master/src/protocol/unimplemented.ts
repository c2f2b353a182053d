import { MasterError } from "../master-error.ts";

/** A handler for a message of the protocol that nothing stands behind yet. */
export function unimplemented(message: { readonly type: string }): () => never {
  return () => {
    throw new MasterError("UNIMPLEMENTED", `${message.type} is not implemented`);
  };
}
