/** One look at a process by a program of the probes tells what `/proc` tells. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ptr } from "bun:ffi";
import { openShim, SystemCalls } from "../../ffi/mod.ts";
import { IS_ROOT, waitUntil } from "../support/mod.ts";
import { Probed } from "./probes_support.ts";

setDefaultTimeout(60_000);

/** `struct ag_look`, probes/include/agentguard_look.h. */
const AT = {
  tid: 0,
  own: 4,
  base: 8,
  name: 16,
  found: 32,
  tgid: 36,
  ppid: 40,
  uid: 44,
  fsuid: 48,
  fsgid: 52,
  umask: 56,
  inner_tid: 60,
  inner_tgid: 64,
  group_count: 68,
  caps: 72,
  start: 80,
  root: 88,
  own_at: 104,
  base_at: 120,
  groups: 152,
  bytes: 280,
  text: 288,
  size: 2848,
} as const;
const AT_FDCWD = -100;
const BPF_PROG_RUN = 10;
const NAME_BYTES = 256;
const GROUPS_MAX = 32;

/** Lines of `/proc/PID/status` by their names. */
function statusOf(pid: number): ReadonlyMap<string, readonly string[]> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").trimEnd().split("\n");
  return new Map(lines.map((line) => {
    const [name = "", ...values] = line.split(/[:\s]+/);
    return [name, values.filter((value) => value !== "")];
  }));
}

/** Where a process keeps its arguments (proc(5): arg_start, field 48). */
function argumentsAt(pid: number): bigint {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return BigInt(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[48 - 3] ?? "0");
}

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("a look", () => {
  let probed: Probed;
  let looker: { readonly program_fd: number; readonly map_fd: number } | undefined;
  const system = new SystemCalls(openShim());

  beforeAll(() => {
    probed = Probed.load();
    looker = probed.probes.looker();
  });

  afterAll(() => probed[Symbol.dispose]());

  interface Asked {
    readonly tid: number;
    readonly own?: number;
    readonly names?: readonly bigint[];
    readonly base?: number;
  }

  function look({ tid, own = -1, names = [], base = AT_FDCWD }: Asked): DataView {
    const value = new DataView(new ArrayBuffer(AT.size));
    value.setUint32(AT.tid, tid, true);
    value.setInt32(AT.own, own, true);
    for (const i of [0, 1]) {
      value.setInt32(AT.base + 4 * i, base, true);
      value.setBigUint64(AT.name + 8 * i, names[i] ?? 0n, true);
    }
    const bytes = new Uint8Array(value.buffer);
    probed.probes.map("looks").update(new Uint8Array(4), bytes);
    const attributes = new DataView(new ArrayBuffer(80));
    attributes.setUint32(0, looker?.program_fd ?? -1, true);
    expect(system.call("bpf", BPF_PROG_RUN, Number(ptr(attributes)), attributes.byteLength)).toBe(0);
    expect(probed.probes.map("looks").lookup(new Uint8Array(4), bytes)).toBe(true);
    return value;
  }

  const at = (value: DataView, field: number): readonly bigint[] => [
    value.getBigUint64(field, true),
    value.getBigUint64(field + 8, true),
  ];

  async function startSleep(argv: readonly string[]): Promise<{ readonly pid: number } & AsyncDisposable> {
    const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", ...argv], { stdin: "ignore" });
    await waitUntil("sleep", () => readFileSync(`/proc/${child.pid}/comm`, "utf8").trim() === "sleep");
    return {
      pid: child.pid,
      async [Symbol.asyncDispose](): Promise<void> {
        child.kill("SIGKILL");
        await child.exited;
      },
    };
  }

  const groups = (count: number): string =>
    Array.from({ length: count }, (_, i) => String(4_000_000_000 + i)).join(",");

  test.each([
    ["the superuser", ["sleep", "60"]],
    ["somebody", ["--reuid=65534", "--regid=4294967294", "--clear-groups", "sh", "-c", "umask 0137; exec sleep 60"]],
    ["a member of one group", ["--reuid=1000", "--regid=1000", "--groups=27", "sleep", "60"]],
    ["a member of as many as are told", ["--reuid=1000", "--regid=1", `--groups=${groups(GROUPS_MAX)}`, "sleep", "60"]],
    ["who has few capabilities", ["--inh-caps=-all", "--bounding-set=+chown,-all", "sleep", "60"]],
  ])("tells the rights of %s", async (_who, argv) => {
    if (looker === undefined) return expect(probed.probes.has("look")).toBe(false);
    await using child = await startSleep(argv);
    const status = statusOf(child.pid);
    const number = (name: string, index = 0, base = 10): number => parseInt(status.get(name)?.[index] ?? "", base);
    const value = look({ tid: child.pid });
    const u32 = (field: number): number => value.getUint32(field, true);
    expect({
      found: u32(AT.found),
      numbers: [u32(AT.tgid), u32(AT.ppid), u32(AT.inner_tgid), u32(AT.inner_tid)],
      ids: [u32(AT.uid), u32(AT.fsuid), u32(AT.fsgid)],
      umask: u32(AT.umask),
      caps: value.getBigUint64(AT.caps, true),
      groups: Array.from({ length: u32(AT.group_count) }, (_, i) => u32(AT.groups + 4 * i)),
    }).toEqual({
      found: 1,
      numbers: [number("Tgid"), number("PPid"), number("NStgid"), number("NSpid")],
      ids: [number("Uid"), number("Uid", 3), number("Gid", 3)],
      umask: number("Umask", 0, 8),
      caps: BigInt(`0x${status.get("CapEff")?.[0]}`),
      groups: (status.get("Groups") ?? []).map(Number),
    });
  });

  test("says nothing of who has more groups than there is room for, and of nobody", async () => {
    if (looker === undefined) return expect(probed.probes.has("look")).toBe(false);
    await using child = await startSleep([
      "--reuid=1",
      "--regid=1",
      `--groups=${groups(GROUPS_MAX + 1)}`,
      "sleep",
      "60",
    ]);
    expect(look({ tid: child.pid }).getUint32(AT.found, true)).toBe(0);
    expect(look({ tid: 0x3fffff }).getUint32(AT.found, true)).toBe(0);
    expect(look({ tid: 0 }).getUint32(AT.found, true)).toBe(0);
  });

  test("reads names to the end of their page, and none where there is no memory", async () => {
    if (looker === undefined) return expect(probed.probes.has("look")).toBe(false);
    await using child = await startSleep(["sleep", "60"]);
    const from = argumentsAt(child.pid);
    const page = from - from % 4096n + 4096n;
    const value = look({ tid: child.pid, names: [from, page - 3n] });
    const text = (i: number): Uint8Array =>
      new Uint8Array(value.buffer, AT.text + NAME_BYTES * i, value.getUint32(AT.bytes + 4 * i, true));
    expect(Buffer.from(text(0)).toString("latin1").split("\0").slice(0, 2)).toEqual(["sleep", "60"]);
    expect(text(0).length).toBe(Math.min(NAME_BYTES, Number(page - from)));
    expect(text(1).length).toBe(3);
    expect(look({ tid: child.pid, names: [8n, 0n] }).getBigUint64(AT.bytes, true)).toBe(0n);
  });

  test("tells directories apart, and knows the same one again", async () => {
    if (looker === undefined) return expect(probed.probes.has("look")).toBe(false);
    await using child = await startSleep(["sh", "-c", "cd /usr; exec sleep 60 7</etc"]);
    const open = (path: string): number => system.open(path, 0o10200000); // O_PATH | O_DIRECTORY of x86
    const [usr, etc, root] = [open("/usr"), open("/etc"), open("/")];
    try {
      const value = look({ tid: child.pid });
      expect(at(value, AT.base_at)).toEqual(at(look({ tid: child.pid, own: usr }), AT.own_at));
      expect(at(value, AT.root)).toEqual(at(look({ tid: 0, own: root }), AT.own_at));
      expect(at(value, AT.base_at)).not.toEqual(at(value, AT.root));
      expect(at(look({ tid: child.pid, base: 7 }), AT.base_at)).toEqual(at(look({ tid: 0, own: etc }), AT.own_at));
      expect(at(look({ tid: child.pid, base: 1_000_000 }), AT.base_at)).toEqual([0n, 0n]);
    } finally {
      for (const fd of [usr, etc, root]) system.close(fd);
    }
  });
});
