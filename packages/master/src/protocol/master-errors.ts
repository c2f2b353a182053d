import { RpcError } from "@bm/rpc";
import { MASTER_ERROR_CODES, MasterError, type MasterErrorCode } from "../master-error.ts";

/**
 * The answer of an endpoint of this package. A MasterError of its handler arrives as an RpcError that names
 * the code, and becomes one again here.
 * @throws RpcError, MasterError (rejects).
 */
export async function masterErrors<Reply>(answer: Promise<Reply>): Promise<Reply> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RpcError && isMasterErrorCode(error.remoteCode)) {
      throw new MasterError(error.remoteCode, error.message, { cause: error });
    }
    throw error;
  }
}

function isMasterErrorCode(code: string | null): code is MasterErrorCode {
  return code !== null && Object.hasOwn(MASTER_ERROR_CODES, code);
}
