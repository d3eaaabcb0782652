/** The launcher under the running kernel: a guarded command must be indistinguishable from a directly started one. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  PART,
  PATH_BYTES,
  PLACE,
  PLACES_BYTES,
  PORT_ACCESS,
  PORT_BYTES,
  PORTS_MAX,
} from "../../ffi/launch_baseline.ts";
import {
  CONFIG,
  FDS_MAX,
  KEEP_NOFILE,
  LAUNCH_STAGES,
  LAUNCH_TYPE,
  LAUNCH_VERSION,
  MESSAGE,
  ON_FAILURE,
} from "../../ffi/launch_protocol.ts";
import { ANY_ARGUMENT, TEST, TESTS_MAX, UNLIKE } from "../../ffi/launch_tests.ts";
import { PYTHON } from "../support/mod.ts";
import { buildGuard, events, fixture, guardRun, NATIVE, run, type RunResult } from "./fixtures/launch_run.ts";

let dir = "";
let guard = "";

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "ag-launch-"));
  guard = await buildGuard(dir);
}, 120_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const guarded = (argv: readonly string[], stdin?: Uint8Array): Promise<RunResult> => guardRun(guard, argv, stdin);

describe("exit status", () => {
  test("every exit code comes through", async () => {
    const codes = Array.from({ length: 256 }, (_, code) => code);
    for (let from = 0; from < codes.length; from += 8) {
      const part = codes.slice(from, from + 8);
      const results = await Promise.all(part.map((code) => guarded(["sh", "-c", `exit ${code}`])));
      expect(results.map((result) => result.code)).toEqual(part);
    }
  }, 120_000);

  test("a signal that ends the command is 128+n and is reported as a signal", async () => {
    for (const signo of [1, 2, 3, 6, 9, 11, 13, 15, 34, 64]) {
      const report = join(dir, `signal-${signo}`);
      const result = await run([guard, "--report", report, "--", "sh", "-c", `ulimit -c 0; kill -${signo} $$`]);
      expect(result.code).toBe(128 + signo);
      const exited = (await events(report)).find((event) => event["type"] === "exited");
      expect(exited).toMatchObject({ exit: { signal: signo } });
      expect(exited?.["exit"]).not.toHaveProperty("exit_code");
    }
  }, 60_000);

  test("not found is 127, not executable is 126, and the errno is reported", async () => {
    const plain = join(dir, "plain");
    writeFileSync(plain, "#!/bin/sh\n", { mode: 0o644 });
    const cases: readonly (readonly [string, number, number])[] = [
      ["ag-no-such-command", 127, 2],
      ["/nonexistent/command", 127, 2],
      [plain, 126, 13],
      [dir, 126, 13],
      ["", 127, 2],
    ];
    for (const [command, code, errno] of cases) {
      const report = join(dir, `exec-${crypto.randomUUID()}`);
      const result = await run([guard, "--report", report, "--", command]);
      expect([command, result.code]).toEqual([command, code]);
      expect(await events(report)).toContainEqual({ type: "exec_failed", stage: "exec", errno });
    }
  }, 60_000);

  test("PATH is searched as a shell does: directories and files without permission are passed over", async () => {
    const [first, second] = [join(dir, "first"), join(dir, "second")];
    for (const made of [join(first, "ag-dir"), second]) await Bun.$`mkdir -p ${made}`.quiet();
    writeFileSync(join(first, "ag-tool"), "no", { mode: 0o644 });
    writeFileSync(join(second, "ag-tool"), "echo from second $0 $1\n", { mode: 0o755 });
    const env = { PATH: `${first}:${second}:/usr/bin:/bin` };
    // No "#!" line: ENOEXEC, run by /bin/sh.
    const result = await run([guard, "--", "ag-tool", "arg"], { env });
    expect(result.stdout.toString()).toBe(`from second ${second}/ag-tool arg\n`);
    expect((await run([guard, "--", "ag-dir"], { env })).code).toBe(127);
    expect((await run([guard, "--", "ag-tool"], { env: { PATH: first } })).code).toBe(126);
  }, 60_000);

  test("a working directory that does not exist fails before the exec", async () => {
    const report = join(dir, "cwd");
    const result = await run([guard, "--report", report, "--cwd", "/nonexistent", "--", "true"]);
    expect(result.code).toBe(125);
    expect(await events(report)).toContainEqual({ type: "exec_failed", stage: "cwd", errno: 2 });
    expect((await run([guard, "--cwd", "/usr", "--", "pwd"])).stdout.toString()).toBe("/usr\n");
  }, 60_000);
});

describe("arguments and streams", () => {
  test("arguments come through byte for byte, up to 128 KiB each and 1.5 MB together", async () => {
    const big = Array.from({ length: 12 }, (_, n) => String(n % 10).repeat(128 * 1024 - 1));
    const count = await guarded(["sh", "-c", 'printf "%s" "$@" | wc -c', "sh", ...big]);
    expect(count.stdout.toString().trim()).toBe(String(12 * (128 * 1024 - 1)));
    const bytes = await run(["bash", "-c", `"$1" -- printf %s $'a\\xff\\xfe z' '' $'\\n'`, "bash", guard]);
    expect(bytes.stdout.toHex()).toBe("61fffe207a0a");
  }, 60_000);

  test("stdin and stdout pass 32 MiB through unchanged, by pipe and by file; stderr stays apart", async () => {
    const data = new Uint8Array(32 << 20);
    for (let at = 0; at < data.byteLength; at += 65_536) crypto.getRandomValues(data.subarray(at, at + 65_536));
    const piped = await guarded(["cat"], data);
    expect(Bun.hash(piped.stdout)).toBe(Bun.hash(data));
    expect(piped.stderr.toString()).toBe("");
    const file = join(dir, "data");
    await Bun.write(file, data);
    const copied = await run(["sh", "-c", `"$1" -- cat <"$2" >"$2.copy" && cmp "$2" "$2.copy"`, "sh", guard, file]);
    expect(copied.code).toBe(0);
    const apart = await guarded(["sh", "-c", "echo out; echo err >&2"]);
    expect([apart.stdout.toString(), apart.stderr.toString()]).toEqual(["out\n", "err\n"]);
  }, 120_000);

  test("a pipe ends when the command closes its end, though the guard lives on", async () => {
    // `cat` sees the end of file only if nobody but the command holds the pipe; then it lets the command exit.
    const script = `"$1" -- sh -c 'exec >&- 3>&-; read line; exit 5' 3>&1 <"$2" | { cat; echo closed; echo go >"$2"; }
      echo "\${PIPESTATUS[0]}"`;
    const fifo = join(dir, "fifo");
    await Bun.$`mkfifo ${fifo}`.quiet();
    // Both ends held open, so that no open of the fifo waits.
    const holder = Bun.spawn(["sh", "-c", 'exec 9<>"$1"; read line', "sh", fifo], { stdin: "pipe" });
    const result = await run(["bash", "-c", script, "bash", guard, fifo]);
    await holder.stdin.end();
    await holder.exited;
    expect(result.stdout.toString()).toBe("closed\n5\n");
  }, 60_000);
});

const SIGNAL_PROBE = ["grep", "-E", "^Sig(Blk|Ign|Cgt):", "/proc/self/status"];
const STATE_PROBE = [
  "sh",
  "-c",
  // Read by the shell itself: while it starts another program, it blocks all signals for a moment.
  `while read -r line; do
     case $line in Sig[BIC]*:*|Cap*:*|NoNewPrivs:*|Seccomp:*|Umask:*|Cpus_allowed:*) echo "$line" ;; esac
   done < /proc/$$/status
   cat /proc/$$/limits /proc/$$/oom_score_adj /proc/$$/coredump_filter /proc/$$/personality /proc/$$/cgroup
   cut -d' ' -f 19,41 /proc/$$/stat; nice; pwd; base64 /proc/$$/environ
   for fd in $(ls /proc/$$/fd); do [ -e /proc/$$/fd/$fd ] && echo "$fd $(readlink /proc/$$/fd/$fd | sed 's/:.*//')" &&
   head -2 /proc/$$/fdinfo/$fd; done; echo end`,
];

describe("inherited state equals a direct start", () => {
  const cases: Readonly<Record<string, object>> = {
    "as it is": {},
    "nohup": { ignore: [1] },
    "signals ignored and blocked": {
      ignore: [1, 3, 10, 12, 20, 21, 22, 28, 40, 64],
      block: [1, 2, 10, 15, 17, 35, 63],
    },
    "child signal ignored": { ignore: [17] },
    "umask, nice, directory": { umask: 0o27, nice: 5, cwd: "/usr/share" },
    "descriptors": { open: { 3: "/etc/hostname", 4: "/etc/passwd", 9: "/etc/group", 250: "/etc/shells" } },
    "closed standard input": { close: [0], open: { 3: "/etc/passwd" } },
    "closed standard error": { close: [2] },
    "environment": { env: { AG_EMPTY: "", AG_LINES: "a\nb", AG_SPACE: " x ", TZ: "UTC", BUN_X: "1", NODE_ENV: "x" } },
  };
  for (const [name, state] of Object.entries(cases)) {
    test(name, async () => {
      const start = [PYTHON, fixture("launch_state.py"), JSON.stringify(state)];
      const direct = await run([...start, ...STATE_PROBE]);
      const through = await run([...start, guard, "--", ...STATE_PROBE]);
      expect(direct.stdout.toString()).toEndWith("end\n");
      expect(normal(through)).toEqual(normal(direct));
      // Without a shell, because some clear the mask at their start.
      const signals = await run([...start, ...SIGNAL_PROBE]);
      expect(signals.stdout.toString()).toMatch(name.includes("blocked") ? /SigBlk:.*[1-9a-f]/ : /SigBlk:\s*0+\n/);
      expect((await run([...start, guard, "--", ...SIGNAL_PROBE])).stdout.toString()).toBe(signals.stdout.toString());
    }, 60_000);
  }

  test("limits and dispositions of a shell that is the parent", async () => {
    const script = `trap '' PIPE XFSZ USR1; ulimit -Sn 333; ulimit -Sc 0; "$@"; exit $?`;
    const probe = [
      "sh",
      "-c",
      `while read -r line; do case $line in Sig[BIC]*:*) echo "$line" ;; esac; done < /proc/$$/status
       cat /proc/$$/limits`,
    ];
    const direct = await run(["bash", "-c", script, "bash", ...probe]);
    const through = await run(["bash", "-c", script, "bash", guard, "--", ...probe]);
    expect(through.stdout.toString()).toBe(direct.stdout.toString());
    expect(through.stdout.toString()).toMatch(/Max open files +333 /);
  }, 60_000);

  test("an inherited descriptor is readable at its number", async () => {
    const script = `echo secret >"$2"; "$1" -- bash -c 'cat <&3; cat <&200' 3<"$2" 200<"$2"`;
    const result = await run(["bash", "-c", script, "bash", guard, join(dir, "fd3")]);
    expect(result.stdout.toString()).toBe("secret\nsecret\n");
  }, 60_000);
});

/** The probe's lines without file positions, which the probe itself moves. */
function normal(result: RunResult): readonly string[] {
  return result.stdout.toString().split("\n").filter((line) => !line.startsWith("pos:"));
}

describe("protocol", () => {
  test("launch_protocol.h and launch_protocol.ts agree", async () => {
    const names = Object.keys(CONFIG).filter((name) => name !== "bytes");
    const fields = Object.keys(MESSAGE).filter((name) => name !== "bytes");
    const expressions: Readonly<Record<string, number | bigint>> = {
      AG_LAUNCH_VERSION: LAUNCH_VERSION,
      AG_LAUNCH_PATH_BYTES: PATH_BYTES,
      AG_LAUNCH_FDS_MAX: FDS_MAX,
      AG_LAUNCH_KEEP_NOFILE: KEEP_NOFILE,
      AG_LAUNCH_TESTS_MAX: TESTS_MAX,
      AG_LAUNCH_PLACES_BYTES: PLACES_BYTES,
      AG_LAUNCH_PORTS_MAX: PORTS_MAX,
      "sizeof(struct ag_launch_port)": PORT_BYTES,
      ...Object.fromEntries(Object.entries(PORT_ACCESS).map(([name, n]) => [`AG_PORT_${name.toUpperCase()}`, n])),
      ...Object.fromEntries(Object.entries(PART).map(([name, value]) => [`AG_PART_${name.toUpperCase()}`, value])),
      ...Object.fromEntries(Object.entries(PLACE).map(([name, value]) => [`AG_PLACE_${name.toUpperCase()}`, value])),
      AG_LAUNCH_ANY_ARGUMENT: ANY_ARGUMENT,
      AG_LAUNCH_UNLIKE: UNLIKE,
      "sizeof(struct ag_launch_test)": TEST.bytes,
      ...Object.fromEntries(
        Object.entries(TEST).filter(([name]) => name !== "bytes").map(([name, value]) => [
          `offsetof(struct ag_launch_test, ${name})`,
          value,
        ]),
      ),
      "sizeof(struct ag_launch_message)": MESSAGE.bytes,
      "sizeof(struct ag_launch_config)": CONFIG.bytes,
      ...Object.fromEntries(Object.entries(LAUNCH_TYPE).map(([name, value]) => [`AG_LAUNCH_${name}`, value])),
      ...Object.fromEntries(LAUNCH_STAGES.map((name, value) => [`AG_STAGE_${name.toUpperCase()}`, value])),
      ...Object.fromEntries(Object.entries(ON_FAILURE).map(([name, v]) => [`AG_ON_FAILURE_${name.toUpperCase()}`, v])),
      ...Object.fromEntries(
        Object.entries(CONFIG).filter(([n]) => names.includes(n)).map(([name, value]) => [
          `offsetof(struct ag_launch_config, ${name})`,
          value,
        ]),
      ),
      ...Object.fromEntries(
        Object.entries(MESSAGE).filter(([n]) => fields.includes(n)).map(([name, value]) => [
          `offsetof(struct ag_launch_message, ${name})`,
          value,
        ]),
      ),
    };
    const header = await Bun.file(join(NATIVE, "launch_protocol.h")).text();
    // No enumerator of the header is missing here.
    const enumerators = [...header.matchAll(/^\t(AG_\w+) = /gm)].map((match) => match[1] ?? "");
    expect(enumerators.filter((name) => !(name in expressions))).toEqual([]);
    const prints = Object.keys(expressions).map((text) => `printf("%llu\\n", (unsigned long long)(${text}));`);
    const source = join(dir, "protocol.c");
    writeFileSync(
      source,
      `#include <stddef.h>\n#include <stdio.h>\n#include "launch_protocol.h"
      int main(void) { ${prints.join("\n")} return 0; }`,
    );
    const built = await run(["musl-gcc", "-static", "-I", NATIVE, "-o", join(dir, "protocol"), source]);
    expect(built.stderr.toString()).toBe("");
    const values = (await run([join(dir, "protocol")])).stdout.toString().trimEnd().split("\n");
    expect(Object.fromEntries(Object.keys(expressions).map((text, index) => [text, values[index] ?? ""])))
      .toEqual(Object.fromEntries(Object.entries(expressions).map(([text, value]) => [text, String(value)])));
  }, 60_000);
});
