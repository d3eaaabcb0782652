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

/** The same with the right to make packets of one's own, which a policy may leave to a command. */
function reachRaw(name: string, port: number, escape: string, expected: Expectation): EscapeCase {
  const one = reach(name, port, escape, expected);
  return {
    ...one,
    id: `net-${name}-kept`,
    alone: "packets of one's own",
    head: '[guard]\ncapabilities = ["net_raw"]\n\n[default]\n"*" = "allow"\n',
  };
}

/** No rule decides: the address is an allowed one. */
const DROPPED: Expectation = { label: "none", mechanism: "cgroup" };

/** The same where the rule also asks who calls, which no program of a cgroup can: the call waits for the guard. */
function reachHeld(name: string, port: number, escape: string): EscapeCase {
  const one = reach(name, port, escape, { label: "prevented", mechanism: "seccomp" });
  return {
    ...one,
    id: `net-held-${name}`,
    rules: one.rules.map((rule) => `${rule}\nby = "connect"`),
    alone: "connections that wait",
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
  reachRaw("raw", 7109, "raw socket, with the capability for it", PREVENTED),
  reach("unspecified", 7110, "0.0.0.0, from a socket that is bound to the address"),
  reach("unspecified-mapped", 7111, "::ffff:0.0.0.0, from a socket that is bound to the address"),
  {
    ...reach("unspecified6", 7112, ":: instead of ::1"),
    rules: ['action = ["net.connect", "net.send"]\naddress = "::1"\nport = 7112\nverdict = "deny"'],
  },
  reach("segments", 7113, "segment routing (IPV6_RTHDR): by way of another address", DROPPED),
  reachRaw("options", 7114, "source route (IP_OPTIONS), with the capability for it", DROPPED),
  reachRaw("message-options", 7115, "source route of one message (IP_RETOPTS), with the capability for it", DROPPED),
  reachHeld("tcp", 7121, "TCP connection that waits"),
  reachHeld("udp", 7122, "connected UDP socket that waits"),
  reachHeld("sendto", 7123, "sendto that waits"),
  reachHeld("sendmmsg", 7124, "sendmmsg that waits"),
  reachHeld("mapped", 7125, "v4-mapped IPv6 address that waits"),
  reachHeld("reconnect", 7126, "a socket connected elsewhere, used again, where sends wait"),
  reachHeld("fast-open", 7127, "TCP fast open that waits"),
  reachHeld("unspecified", 7128, "0.0.0.0 from a bound socket, where sends wait"),
  reachHeld("unspecified-mapped", 7129, "::ffff:0.0.0.0 from a bound socket, where connections wait"),
  reachHeld("race", 7130, "the address exchanged by another thread while the connection waits"),
];
