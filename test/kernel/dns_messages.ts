/** DNS messages as bytes, a reading of them that shares nothing with the probes, and a resolver for tests. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** One record of an answer. */
export interface Answer {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly ttl_s?: number;
}

const TYPES = { 4: 1, 16: 28 } as const;

/** A name in its wire form. */
export function wireName(name: string): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  return Uint8Array.from([...labels, 0]);
}

function u16(value: number): readonly number[] {
  return [value >> 8 & 255, value & 255];
}

/** An answer to a question for `name`, with a record for each address. `id`: that of the query. */
export function answerMessage(name: string, answers: readonly Answer[], id = 1): Uint8Array {
  const records = answers.flatMap(({ address, ttl_s = 300 }) => [
    ...[0xc0, 12],
    ...u16(TYPES[address.length === 4 ? 4 : 16]),
    ...u16(1),
    ...u16(ttl_s >>> 16),
    ...u16(ttl_s & 0xffff),
    ...u16(address.length),
    ...address,
  ]);
  const head = [...u16(id), 0x81, 0x80, ...u16(1), ...u16(answers.length), 0, 0, 0, 0];
  return Uint8Array.from([...head, ...wireName(name), ...u16(1), ...u16(1), ...records]);
}

/** An IPv4 packet of UDP behind an Ethernet header. */
export function udpPacket(source: readonly number[], message: Uint8Array, port = 53): Uint8Array {
  const udp = [...u16(port), ...u16(40_000), ...u16(8 + message.length), 0, 0, ...message];
  const ip = [0x45, 0, ...u16(20 + udp.length), 0, 0, 0, 0, 64, 17, 0, 0, ...source, 127, 0, 0, 1];
  return Uint8Array.from([...new Uint8Array(12), 0x08, 0x00, ...ip, ...udp]);
}

/** What a message says. */
export interface Read {
  readonly name: string;
  /** Addresses in hexadecimal digits, mapped ones as IPv4; 16 at most. */
  readonly addresses: ReadonlySet<string>;
}

/** Reads a message slowly; `undefined` where the probes must learn nothing. */
export function readMessage(message: Uint8Array): Read | undefined {
  const at = (index: number): number => {
    const byte = message[index];
    if (byte === undefined) throw new RangeError("behind the message");
    return byte;
  };
  const word = (index: number): number => at(index) * 256 + at(index + 1);
  try {
    if ((at(2) & 0xf8) !== 0x80 || (at(3) & 15) !== 0 || word(4) !== 1) return undefined;
    let next = 12;
    const labels: string[] = [];
    for (let length = at(next); length !== 0; length = at(next)) {
      if (length > 63) return undefined;
      const label = Buffer.from(message.subarray(next + 1, next + 1 + length)).toString("latin1");
      if (label.length !== length || !/^[A-Za-z0-9_-]+$/.test(label)) return undefined;
      labels.push(label.toLowerCase());
      next += 1 + length;
    }
    const name = labels.join(".");
    if (name === "" || name.length > 246) return undefined;
    next += 1;
    if (![1, 28, 255].includes(word(next)) || word(next + 2) !== 1) return undefined;
    next += 4;
    const addresses = new Set<string>();
    let kept = 0;
    for (let left = word(6); left > 0; left--) {
      while (at(next) > 0 && at(next) < 64) next += 1 + at(next);
      if (at(next) !== 0 && at(next) < 192) return undefined;
      next += at(next) === 0 ? 1 : 2;
      const [type, of_class, bytes] = [word(next), word(next + 2), word(next + 8)];
      if (next + 10 + bytes > message.length) return undefined;
      const data = message.subarray(next + 10, next + 10 + bytes).toHex();
      const is_address = of_class === 1 && ((type === 1 && bytes === 4) || (type === 28 && bytes === 16));
      if (is_address && kept++ < 16) addresses.add(data.replace(/^0{20}ffff/, ""));
      next += 10 + bytes;
    }
    return addresses.size === 0 ? undefined : { name, addresses };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A resolver on port 53 of `address`, for UDP and TCP; it answers what `zone` says, and nothing else. */
export async function startResolver(
  address: string,
  zone: (name: string) => readonly Answer[] | undefined,
): Promise<AsyncDisposable> {
  const answer = (query: Uint8Array): Uint8Array | undefined => {
    const labels: string[] = [];
    for (let at = 12; (query[at] ?? 0) !== 0; at += 1 + (query[at] ?? 0)) {
      labels.push(Buffer.from(query.subarray(at + 1, at + 1 + (query[at] ?? 0))).toString("latin1"));
    }
    const name = labels.join(".");
    const found = zone(name.toLowerCase());
    return found === undefined ? undefined : answerMessage(name, found, (query[0] ?? 0) * 256 + (query[1] ?? 0));
  };
  const udp = createSocket("udp4");
  udp.on("message", (query, from) => {
    const message = answer(query);
    if (message !== undefined) udp.send(message, from.port, from.address);
  });
  const tcp = createServer((socket) => {
    socket.on("data", (data) => {
      const message = answer(Uint8Array.from(Buffer.from(data).subarray(2)));
      if (message !== undefined) socket.end(Buffer.from([...u16(message.length), ...message]));
    });
    socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => udp.once("error", reject).bind(53, address, resolve));
  await new Promise<void>((resolve, reject) => tcp.once("error", reject).listen(53, address, resolve));
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      await new Promise<void>((resolve) => udp.close(resolve));
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}
