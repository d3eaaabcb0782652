/** Names of addresses in the kernel: learned from a real resolver's answers, and from nobody else's. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { AgAddressKey, AgControl } from "../../probes/abi.gen.ts";
import type { HostGlob, LoweredNetRule, LoweredPolicy } from "../../lib/core/mod.ts";
import { openShim, SystemCalls } from "../../ffi/mod.ts";
import "../support/seed.ts";
import { IS_ROOT } from "../support/mod.ts";
import { type Answer, answerMessage, readMessage, startResolver, udpPacket } from "./dns_messages.ts";
import { GuardedCgroup, NO_POLICY, Probed } from "./probes_support.ts";

setDefaultTimeout(60_000);

const RESOLVER = "127.0.0.77";
/** A resolver's address where nobody listens. */
const EMPTY = "127.0.0.78";
/** Addresses of documentation: nothing answers there. */
const API = Uint8Array.of(203, 0, 113, 7);
const BELOW = Uint8Array.of(203, 0, 113, 8);
const OTHER = Uint8Array.of(203, 0, 113, 9);
const METADATA = Uint8Array.of(169, 254, 169, 254);
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK6 = Uint8Array.from([...new Uint8Array(15), 1]);

const ZONE: Readonly<Record<string, readonly Answer[]>> = {
  "api.example.test": [{ address: API }],
  "a.b.wild.test": [{ address: BELOW }],
  "other.test": [{ address: OTHER }],
  "rebind.wild.test": [{ address: METADATA }, { address: LOOPBACK }, { address: LOOPBACK6 }],
  "bad.test": [{ address: LOOPBACK }, { address: OTHER }],
};

/** A program that looks names up and connects; every try prints its name and errno. */
const PROGRAM = String.raw`
import errno, os, socket, struct, sys
def query(name):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)
def look(name, server="127.0.0.77"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.sendto(query(name), (server, 53))
        return s.recv(4096)
def look_tcp(name):
    with socket.create_connection(("127.0.0.77", 53), 20) as s:
        q = query(name)
        s.sendall(struct.pack(">H", len(q)) + q)
        return s.recv(4096)
def t(label, call):
    try:
        call(); print(label, "0")
    except OSError as e:
        print(label, errno.errorcode.get(e.errno, e.errno))
    sys.stdout.flush()
def to(address):
    def call():
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((address, 443))
    return call
`;

let generation = 1;
let probed: Probed;
let resolver: AsyncDisposable;

function allow(hosts: readonly HostGlob[], more: Partial<LoweredNetRule["match"]> = {}): LoweredNetRule {
  return { rule_index: 3, verdict: "allow", actions: ["net.connect"], match: { ...anything, ...more, hosts } };
}

const anything = { cidrs: [], ports: [], protocols: [] } as const;
const EXACT: HostGlob = { suffix: false, text: "api.example.test" };
const WILD: HostGlob = { suffix: true, text: ".wild.test" };

/** Connections are refused by default; the resolvers can be asked. */
function policy(net: readonly LoweredNetRule[], connect: "allow" | "deny" = "deny"): LoweredPolicy {
  const ask: LoweredNetRule = {
    rule_index: 9,
    verdict: "allow",
    actions: ["net.connect"],
    match: { ...anything, ports: [{ from: 53, to: 53 }] },
  };
  return {
    ...NO_POLICY,
    generation: ++generation,
    net: [...net, ask],
    net_default: { "net.connect": connect, "net.send": "allow", "net.bind": "allow" },
    names: true,
  };
}

/** Runs the program's end in a guarded cgroup; gives errno by label. */
async function tries(script: string): Promise<Record<string, string>> {
  await using guarded = new GuardedCgroup(probed, { names: true });
  const ran = await probed.run(["python3", "-c", PROGRAM + script], { cgroup: guarded.cgroup });
  expect(ran.stderr).toBe("");
  return Object.fromEntries(ran.stdout.trim().split("\n").map((line) => line.split(" ")));
}

/** Refused, or not: what the network says of an address that is not refused differs by host. */
function refused(results: Record<string, string>): Record<string, boolean> {
  return Object.fromEntries(Object.entries(results).map(([label, code]) => [label, code === "EPERM"]));
}

/** Addresses with names, in hexadecimal digits. */
function named(): Set<string> {
  const found = probed.probes.map("addr_names").keys().map((key) => {
    const four = new DataView(key.buffer, key.byteOffset).getUint32(AgAddressKey.family, true) === 4;
    return key.subarray(AgAddressKey.address, AgAddressKey.address + (four ? 4 : 16)).toHex();
  });
  return new Set(found);
}

function forget(): void {
  const map = probed.probes.map("addr_names");
  for (const key of map.keys()) map.remove(key);
}

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("names", () => {
  beforeAll(async () => {
    probed = Probed.load();
    probed.probes.attach();
    resolver = await startResolver(RESOLVER, (name) => ZONE[name]);
    probed.policy.setResolvers([RESOLVER, EMPTY]);
  });

  afterEach(() => forget());

  afterAll(async () => {
    await resolver[Symbol.asyncDispose]();
    probed[Symbol.dispose]();
  });

  test("by name and by wildcard, after the look-up and not before; other names permit nothing", async () => {
    probed.policy.install(policy([allow([EXACT, WILD])]));
    const results = await tries(`
t("before", to("203.0.113.7"))
look("API.example.TEST"); t("exact", to("203.0.113.7")); t("mapped", to("::ffff:203.0.113.7"))
t("below_before", to("203.0.113.8"))
look_tcp("a.b.wild.test"); t("below", to("203.0.113.8"))
look("other.test"); t("other", to("203.0.113.9"))
`);
    expect(refused(results)).toEqual({
      before: true,
      exact: false,
      mapped: false,
      below_before: true,
      below: false,
      other: true,
    });
  });

  test("names permit no special address that the rule does not have; what they forbid includes them", async () => {
    const look = `look("rebind.wild.test"); look("bad.test")\n`;
    const each = ["169.254.169.254", "127.0.0.1", "::1", "203.0.113.9"];
    const script = look + each.map((address) => `t("${address}", to("${address}"))\n`).join("");
    probed.policy.install(policy([allow([WILD, { suffix: false, text: "bad.test" }])]));
    expect(refused(await tries(script))).toEqual({
      "169.254.169.254": true,
      "127.0.0.1": true,
      "::1": true,
      "203.0.113.9": false,
    });
    probed.policy.install(policy([allow([WILD], { cidrs: [{ bytes: METADATA, prefix_bits: 32 }] })]));
    expect(refused(await tries(script))).toMatchObject({ "169.254.169.254": false, "127.0.0.1": true });
    const bad: LoweredNetRule = { ...allow([{ suffix: false, text: "bad.test" }]), verdict: "deny" };
    probed.policy.install(policy([bad], "allow"));
    expect(refused(await tries(script))).toEqual({
      "169.254.169.254": false,
      "127.0.0.1": true,
      "::1": false,
      "203.0.113.9": true,
    });
  });

  test("an exception by name lifts a refusal, for its addresses alone", async () => {
    const rule: LoweredNetRule = {
      rule_index: 4,
      verdict: "deny",
      actions: ["net.connect"],
      match: { ...anything, ports: [{ from: 443, to: 443 }] },
      except: { ...anything, hosts: [WILD] },
    };
    probed.policy.install(policy([rule], "allow"));
    const results = await tries(`
look("a.b.wild.test"); look("other.test"); look("rebind.wild.test")
t("lifted", to("203.0.113.8")); t("other", to("203.0.113.9")); t("special", to("127.0.0.1"))
`);
    expect(refused(results)).toEqual({ lifted: false, other: true, special: true });
  });

  test("a name that ends permits nothing more, and another name of the address does not keep it alive", async () => {
    probed.policy.install(policy([allow([EXACT])]));
    const slot = activeSlot();
    const lesson = { slot, family: 4, address: API } as const;
    const boot_ns = bootNs();
    probed.probes.teach({ ...lesson, name: "api.example.test", expires_ns: boot_ns + 1_500_000_000n });
    probed.probes.teach({ ...lesson, name: "other.test", expires_ns: boot_ns + 3_600_000_000_000n });
    const results = await tries(`
t("holds", to("203.0.113.7"))
import time
while True:
    try: to("203.0.113.7")()
    except PermissionError: break
    except OSError: pass
    time.sleep(0.05)
print("ended 0")
`);
    expect(results["holds"]).not.toBe("EPERM");
    expect(results["ended"]).toBe("0");
  });

  test("names outlive a reload, by the new rules", async () => {
    probed.policy.install(policy([allow([EXACT])]));
    await tries(`look("api.example.test"); look("other.test"); print("done 0")`);
    const live = [["203.0.113.7", "api.example.test"], ["203.0.113.9", "other.test"]].map((
      [address = "", name = ""],
    ) => ({
      address,
      name,
      expires_us: Infinity,
    }));
    probed.policy.install(policy([allow([{ suffix: false, text: "other.test" }])]), live);
    const script = `t("api", to("203.0.113.7")); t("other", to("203.0.113.9"))`;
    expect(refused(await tries(script))).toEqual({ api: true, other: false });
    probed.policy.install(policy([allow([EXACT])]));
    expect(refused(await tries(script))).toEqual({ api: true, other: true });
  });

  test("nobody inside is a resolver: what looks like an answer does not leave, and teaches nothing", async () => {
    probed.policy.install(policy([allow([EXACT])]));
    const forged = Buffer.from(answerMessage("api.example.test", [{ address: OTHER }])).toString("hex");
    const results = await tries(`
message = bytes.fromhex("${forged}")
target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); target.bind(("127.0.0.1", 0))
def bound():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("${EMPTY}", 53)); s.sendto(message, target.getsockname())
def raw():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        udp = struct.pack(">HHHH", 53, target.getsockname()[1], 8 + len(message), 0) + message
        ip = bytes([0x45, 0]) + struct.pack(">H", 20 + len(udp)) + bytes([0, 0, 0, 0, 64, 17, 0, 0])
        s.sendto(ip + socket.inet_aton("${RESOLVER}") + socket.inet_aton("127.0.0.1") + udp, ("127.0.0.1", 0))
def fragments():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        ip = bytes([0x45, 0]) + struct.pack(">H", 28) + bytes([0, 9, 0x20, 0, 64, 17, 0, 0])
        s.sendto(ip + socket.inet_aton("${RESOLVER}") + socket.inet_aton("127.0.0.1") + bytes(8), ("127.0.0.1", 0))
t("bound", bound); t("raw", raw); t("fragments", fragments)
t("connect", to("203.0.113.9"))
`);
    expect(results).toEqual({ bound: "EPERM", raw: "EPERM", fragments: "EPERM", connect: "EPERM" });
    expect(named()).toEqual(new Set());
  });

  test("only resolvers are believed, only on their port", () => {
    probed.policy.install(policy([allow([EXACT])]));
    const message = answerMessage("api.example.test", [{ address: API }]);
    expect(probed.probes.runPacket("ag_dns_in", udpPacket([127, 0, 0, 79], message))).toEqual({ ok: true, value: 1 });
    expect(probed.probes.runPacket("ag_dns_in", udpPacket([127, 0, 0, 77], message, 54))).toEqual({
      ok: true,
      value: 1,
    });
    expect(named()).toEqual(new Set());
    expect(probed.probes.runPacket("ag_dns_in", udpPacket([127, 0, 0, 77], message))).toEqual({ ok: true, value: 1 });
    expect(named()).toEqual(new Set([API.toHex()]));
  });

  test("thousands of damaged answers: each goes its way, and teaches what a slow reading finds in it", () => {
    probed.policy.install(policy([allow([EXACT, WILD])]));
    const before = probed.frames;
    let [taught, runs] = [0, 0];
    fc.assert(
      fc.property(MESSAGE, (message) => {
        const packet = udpPacket([127, 0, 0, 77], message);
        expect(probed.probes.runPacket("ag_dns_in", packet)).toEqual({ ok: true, value: 1 });
        const read = readMessage(message);
        if (read !== undefined) taught++;
        expect(named()).toEqual(new Set(read?.addresses));
        forget();
        if (runs++ % 200 === 0) probed.drain();
      }),
      { numRuns: 5_000, endOnFailure: true },
    );
    probed.drain();
    expect(taught).toBeGreaterThan(500);
    expect(probed.frames - before).toBe(taught);
    expect(probed.errors).toEqual([]);
  });
});

const ADDRESS = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);
const DAMAGE = fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 3 });

/** Answers, most of them damaged somewhere. */
const MESSAGE = fc.tuple(
  fc.integer({ min: 1, max: 66 }),
  fc.array(ADDRESS, { maxLength: 20 }),
  DAMAGE,
  fc.option(fc.nat(600), { freq: 2 }),
).map(([letters, addresses, damage, cut]) => {
  const message = answerMessage(`${"a".repeat(letters)}.wild.test`, addresses.map((address) => ({ address })));
  for (const [at, byte] of damage) message[at % message.length] = byte;
  return cut === null ? message : message.slice(0, cut % (message.length + 1));
});

/** CLOCK_BOOTTIME, nanoseconds. */
function bootNs(): bigint {
  return BigInt(Math.round(new SystemCalls(openShim()).bootUs())) * 1_000n;
}

/** The policy slot in force. */
function activeSlot(): number {
  const value = new Uint8Array(AgControl.SIZE);
  probed.probes.map("control").lookup(new Uint8Array(4), value);
  return value[AgControl.slot] ?? 0;
}
