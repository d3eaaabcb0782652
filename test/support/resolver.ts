/** A resolver of the test: a datagram socket that answers questions for addresses from a table. RFC 1035. */
import type { udp } from "bun";
import { addressText, parseAddress } from "../../lib/core/mod.ts";

const TYPE_A = 1;
const TYPE_AAAA = 28;

/** What it answers: addresses by name. Asked again, it gives the next list, and the last one from then on. */
export type ResolverTable = Readonly<Record<string, readonly (readonly string[])[]>>;

/** Answers at port 53 of an address of this host; disposing closes it. */
export class TestResolver implements Disposable {
  readonly address: string;
  /** Names that were asked for, in order. */
  readonly asked: string[] = [];
  readonly #table: ResolverTable;
  readonly #ttl_s: number;
  readonly #times: Map<string, number> = new Map();
  #socket: udp.Socket<"uint8array"> | undefined;

  private constructor(address: string, table: ResolverTable, ttl_s: number) {
    this.address = address;
    this.#table = table;
    this.#ttl_s = ttl_s;
  }

  /** Listens. Needs the right to port 53. */
  static async start(address: string, table: ResolverTable, ttl_s: number = 300): Promise<TestResolver> {
    const resolver = new TestResolver(address, table, ttl_s);
    resolver.#socket = await Bun.udpSocket({
      hostname: address,
      port: 53,
      binaryType: "uint8array",
      socket: {
        data: (socket, message, port, from) => {
          const answer = resolver.#answer(message);
          if (answer !== undefined) socket.send(answer, port, from);
        },
      },
    });
    return resolver;
  }

  /** It does not keep the process from ending. */
  unref(): void {
    this.#socket?.unref();
  }

  [Symbol.dispose](): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #answer(message: Uint8Array): Uint8Array | undefined {
    const question = readQuestion(message);
    if (question === undefined) return undefined;
    const { name, type, end } = question;
    this.asked.push(name);
    const lists = this.#table[name] ?? [];
    const times = this.#times.get(`${name} ${type}`) ?? 0;
    this.#times.set(`${name} ${type}`, times + 1);
    const bytes = (lists[Math.min(times, lists.length - 1)] ?? []).map((text) => {
      const address = parseAddress(text);
      if (address === undefined || addressText(address) !== text) {
        throw new Error(`no address as records have it: ${text}`);
      }
      return address;
    }).filter(({ length }) => length === (type === TYPE_A ? 4 : 16));
    return Buffer.concat([
      header(message, bytes.length),
      message.subarray(12, end),
      ...bytes.map((address) => this.#record(type, address)),
    ]);
  }

  /** A record about the name of the question, to which it points. */
  #record(type: number, address: Uint8Array): Uint8Array {
    const record = Buffer.alloc(12 + address.length);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(this.#ttl_s, 6);
    record.writeUInt16BE(address.length, 10);
    record.set(address, 12);
    return record;
  }
}

function header(message: Uint8Array, answers: number): Uint8Array {
  const made = Buffer.alloc(12);
  made.set(message.subarray(0, 2), 0);
  made.writeUInt16BE(0x8180, 2); // an answer, recursion wanted and had
  made.writeUInt16BE(1, 4);
  made.writeUInt16BE(answers, 6);
  return made;
}

function readQuestion(
  message: Uint8Array,
): { readonly name: string; readonly type: number; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length !== 0; length = message[at] ?? 0) {
    if (length > 63 || at + 1 + length > message.length) return undefined;
    labels.push(Buffer.from(message.subarray(at + 1, at + 1 + length)).toString("latin1"));
    at += 1 + length;
  }
  const type = ((message[at + 1] ?? 0) << 8) | (message[at + 2] ?? 0);
  if (type !== TYPE_A && type !== TYPE_AAAA) return undefined;
  return { name: labels.join("."), type, end: at + 5 };
}
