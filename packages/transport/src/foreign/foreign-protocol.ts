/**
 * Who is it that speaks to this port?
 *
 * A peer that speaks another protocol is noticed because its first eight bytes make no sense as the
 * length of a frame. `Too large frame: 5135603447292250188` helps nobody; "GET / HT" does.
 */

/** Bytes that are looked at; fewer will do. */
export const FOREIGN_PROTOCOL_BYTES = 16;

interface Signature {
  /** Matched against the first bytes as Latin-1 text. */
  readonly text?: RegExp;
  /** Matched against the first bytes as hexadecimal digits. */
  readonly hex?: RegExp;
  readonly phrase: string;
}

const HTTP_METHOD = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH) /;

/** In order: the first match wins. */
const SIGNATURES: readonly Signature[] = [
  {
    text: /^PRI \* HT/,
    phrase: "the opening of HTTP/2; is a gRPC client or proxy pointed at this port?",
  },
  {
    text: /^HTTP\//,
    phrase: "an HTTP answer; is the address given for this connection that of a web server?",
  },
  {
    hex: /^16030[0-4]....0[12]/,
    phrase: "a TLS handshake; TLS (spark.ssl.rpc.enabled) is on at the peer and off here",
  },
  {
    hex: /^15030[0-4]/,
    phrase: "a TLS alert; TLS (spark.ssl.rpc.enabled) is on at the peer and off here",
  },
  { text: /^SSH-/, phrase: "an SSH greeting; the port belongs to SSH, or is being scanned" },
  {
    text: /^PROXY (TCP|UNK)/,
    hex: /^0d0a0d0a000d0a51/,
    phrase: "a PROXY protocol header; switch it off at the load balancer in front of this port",
  },
  {
    hex: /^0000....(0003000[0-2]|04d216(2e|2f|30))/,
    phrase: "the opening of a PostgreSQL client; is a database address mixed up with this one?",
  },
  {
    hex: /^....00000a3[0-9](2e|3[0-9])/,
    phrase: "the greeting of a MySQL server; is the address that of a database?",
  },
  {
    text: /^\*[0-9]+\r\n\$/,
    phrase: "a Redis command; is a cache address mixed up with this one?",
  },
  {
    hex: /^aced0005/,
    phrase: "Java-serialized objects; is this the address of another service of a JVM?",
  },
  { text: /^JRMI/, phrase: "a Java RMI call; is a JMX client pointed at this port?" },
  { text: /^hrpc/, phrase: "a Hadoop RPC header; is this the address of a Hadoop service?" },
  { text: /^AMQP/, phrase: "an AMQP header; is this the address of a message broker?" },
  {
    hex: /^00......f[ef]534d42/,
    phrase: "a Windows file sharing (SMB) request; the port is being scanned",
  },
  {
    hex: /^030000....e0/,
    phrase: "a remote desktop (RDP) request; the port is being scanned",
  },
  {
    text: /^(220|\+OK|\* OK)[ -]/,
    phrase: "the greeting of a mail or FTP server; is the address that of such a server?",
  },
  {
    // Eight alone are the length 0, which a damaged frame could have too.
    hex: /^(00){9,}$/,
    phrase: "nothing but zero bytes; the port is probably being scanned",
  },
];

const PRINTABLE = /^[\t\r\n\x20-\x7e]{8,}$/;

/**
 * Names what a connection begins with, when that is no frame.
 *
 * @param firstBytes the first bytes of the connection, at least 8, of which up to 16 are looked at
 * @returns a phrase that goes on after "the peer sent", or null when nothing is recognised: then the
 *   bytes are more likely a damaged frame
 */
export function identifyForeignProtocol(firstBytes: Uint8Array): string | null {
  const start = Buffer.from(firstBytes.subarray(0, FOREIGN_PROTOCOL_BYTES));
  const text = start.toString("latin1");
  const hex = start.toString("hex");
  const method = HTTP_METHOD.exec(text)?.[1];
  if (method !== undefined) {
    return `an HTTP request (${method}); is a browser or health check pointed at this port?`;
  }
  const known = SIGNATURES.find((one) => one.text?.test(text) || one.hex?.test(hex));
  if (known !== undefined) return known.phrase;
  if (PRINTABLE.test(text)) return `text (${JSON.stringify(text)}), which is no protocol of Spark`;
  return looksEncrypted(start) ? MAYBE_ENCRYPTED : null;
}

const MAYBE_ENCRYPTED =
  "bytes of no protocol that is known here; perhaps an encrypted Spark connection, whose settings " +
  "(spark.authenticate, spark.network.crypto.*, spark.ssl.rpc.*) differ from those here";

/**
 * Encrypted bytes look like dice: hardly ever one twice among eight, seldom the border values of
 * which damaged lengths are full.
 */
function looksEncrypted(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, 8);
  if (start.length < 8 || start.includes(0x00) || start.includes(0xff)) return false;
  return new Set(start).size >= 7;
}
