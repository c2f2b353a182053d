// PLACEHOLDER so that others can import the index meanwhile: overwrite this file entirely.
export function identifyForeignProtocol(b: Uint8Array): string | null { return Buffer.from(b).toString("latin1").startsWith("GET ") ? "an HTTP request" : null; }
