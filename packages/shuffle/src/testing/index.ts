/** What implementers of this package's interfaces test their own against. */
export {
  type BlockDataManagerUnderTest,
  blockDataManagerSuite,
  type ContractCase,
} from "./block-data-manager-suite.ts";
