import net from "node:net";
import { describe, expect, it } from "vitest";
import { NodeSocket } from "../../src/platform/node-socket.ts";
import { moveToReader, SocketReader } from "../../src/platform/socket-reader.ts";

describe("SocketReader", () => {
  it("reads into one buffer for all sockets unless the owner has a place for the bytes", () => {
    const reader = new SocketReader();
    const other = new SocketReader();
    const shared = nextBuffer(reader);
    expect(nextBuffer(other)).toBe(shared);
    const target = Buffer.alloc(10);
    const received: Uint8Array[] = [];
    reader.owner = { readTarget: () => target, onBytes: (bytes) => void received.push(bytes) };
    expect(nextBuffer(reader)).toBe(target);
    reader.onread.callback(4, target);
    expect(received[0]).toHaveLength(4);
    expect(received[0]?.buffer).toBe(target.buffer);
  });

  it("cannot take over a socket without a connection", () => {
    expect(moveToReader(new net.Socket(), new SocketReader())).toBeNull();
  });
});

describe("NodeSocket", () => {
  it("works on data events too, where a connection cannot be taken over", async () => {
    const received = Promise.withResolvers<string>();
    const server = net.createServer({ allowHalfOpen: true }, (accepted) => {
      const socket = NodeSocket.adopt(accepted, null);
      socket?.start({
        onData: (bytes) => {
          socket.write([Buffer.from(bytes)], () => {});
          socket.end();
        },
        onEnd: () => {},
        onClose: () => {},
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      const client = net.connect(port, "127.0.0.1", () => client.end("echo"));
      client.on("data", (bytes) => received.resolve(bytes.toString()));
    });
    expect(await received.promise).toBe("echo");
    server.close();
  });
});

function nextBuffer(reader: SocketReader): Uint8Array {
  const { buffer } = reader.onread;
  return typeof buffer === "function" ? buffer() : buffer;
}
