import { nodePlatform, type Platform, type Socket } from "@bm/transport";

/** The real machine, whose sockets overwrite what was read as soon as it was handed over. */
export function forgetfulPlatform(): Platform {
  const platform = nodePlatform();
  const { network } = platform;
  return {
    ...platform,
    network: {
      connect: async (options) => forgetful(await network.connect(options)),
      listen: (options, onSocket) =>
        network.listen(options, (socket) => onSocket(forgetful(socket))),
    },
  };
}

function forgetful(socket: Socket): Socket {
  const start: Socket["start"] = (events) =>
    socket.start({
      onData: (bytes) => {
        const lent = Buffer.from(bytes);
        events.onData(lent);
        lent.fill(0xee);
      },
      onEnd: () => events.onEnd(),
      onClose: (error) => events.onClose(error),
    });
  return new Proxy(socket, {
    get: (target, name) => {
      if (name === "start") return start;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
