/** Ways to reach a network that a rule forbids. */
import { type EscapeCase, type Expectation, refusedBy, saidOk } from "../harness/mod.ts";

const PREVENTED: Expectation = { label: "prevented", mechanism: "cgroup" };

/** Every case has a port of its own, so that its rule is about it alone. */
function reach(name: string, port: number, escape: string, ...expected: readonly Expectation[]): EscapeCase {
  return {
    id: `net-${name}`,
    escape,
    rules: [`action = ["net.connect", "net.send"]\naddress = "127.66.0.0/16"\nport = ${port}\nverdict = "deny"`],
    command: ({ program }) => [program("connect"), name, String(port)],
    happened: saidOk,
    expected: expected.length === 0 ? [PREVENTED] : expected,
  };
}

/** Attempts to connect and send. */
export const NETWORK: readonly EscapeCase[] = [
  reach("tcp", 7101, "TCP connection"),
  reach("udp", 7102, "connected UDP socket"),
  reach("sendto", 7103, "sendto without connect"),
  reach("sendmmsg", 7104, "sendmmsg without connect"),
  reach("mapped", 7105, "v4-mapped IPv6 address"),
  reach("reconnect", 7106, "a socket connected elsewhere, disconnected, used again"),
  reach("fast-open", 7107, "TCP fast open: data with the connection"),
  reach("raw", 7108, "raw socket", refusedBy("privileges", "privileges"), {
    label: "none",
    mechanism: "none",
    effect: "may",
  }),
];
