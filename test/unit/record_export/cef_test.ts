/** CEF lines, literally, and what must never break them. */
import { describe, expect, test } from "bun:test";
import type { Entry } from "../../../lib/core/mod.ts";
import { DECISION_ID, DENIED, entry, lines, unknownAction } from "./support.ts";

const HEAD = "CEF:0|agentguard|agentguard|1.2.3";
const START = "dvchost=h1 rt=1767323045678 externalId=01JABCDEFGHJKMNPQRSTVWXYZ2";
const WHO = "spid=42 sproc=/usr/bin/bash suid=1000 suser=ops";
const SESSION = "cs1=01JABCDEFGHJKMNPQRSTVWXYZ0 cs1Label=session_id";
const RULED = "cs2=no-net cs2Label=rule cs3=p#2 cs3Label=policy";
const DECISION = "cs5=01JABCDEFGHJKMNPQRSTVWXYZ3 cs5Label=decision_id";
const SEQ = "cn1=7 cn1Label=seq";

const TABLE: readonly (readonly [string, Entry, string])[] = [
  [
    "a program start",
    entry({ action: { type: "exec", path: "/usr/bin/git", argv: ["git", "-m", "a b's"], cwd: "/w" } }),
    `${HEAD}|exec|Program started|2|${START} cat=observation ${WHO} dproc=/usr/bin/git ` +
    `fname=git filePath=/usr/bin/git ${SESSION} cs4=git -m 'a b'\\\\''s' cs4Label=command_line ` +
    `cs6={"cwd":"/w"} cs6Label=details ${SEQ} ` +
    "msg=exec /usr/bin/git",
  ],
  [
    "a read",
    entry({
      action: { type: "file.read", path: "/etc/passwd", result: "0" },
      decision: { ...DENIED, verdict: "allow" },
    }),
    `${HEAD}|file.read|File opened for reading|2|${START} cat=observation act=allow ` +
    `outcome=success reason=rule no-net ${WHO} fname=passwd filePath=/etc/passwd ${SESSION} ${RULED} ${DECISION} ` +
    `cs6={"mode":"enforce"} cs6Label=details ${SEQ} msg=file.read /etc/passwd: allow by no-net`,
  ],
  [
    "a rename",
    entry({ action: { type: "file.rename", path: "/a/b", new_path: "/a/c", result: "EACCES" } }),
    `${HEAD}|file.rename|File renamed|2|${START} cat=observation outcome=EACCES ${WHO} fname=c ` +
    `filePath=/a/c oldFilePath=/a/b ${SESSION} ${SEQ} msg=file.rename /a/b`,
  ],
  [
    "a refused connection",
    entry({
      kind: "decision",
      action: { type: "net.connect", protocol: "tcp", address: "2001:db8::1", port: 443, host: "e.example" },
      decision: DENIED,
    }),
    `${HEAD}|net.connect|Network connection|5|${START} cat=decision act=deny reason=rule no-net ` +
    `${WHO} dhost=e.example dpt=443 proto=TCP c6a3=2001:db8::1 c6a3Label=Destination IPv6 Address ` +
    `${SESSION} ${RULED} ` +
    `${DECISION} cs6={"mode":"enforce"} cs6Label=details ${SEQ} msg=net.connect [2001:db8::1]:443: deny by no-net`,
  ],
  [
    "its outcome",
    entry({
      kind: "outcome",
      action: { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443 },
      outcome: { decision_id: DECISION_ID, label: "prevented", mechanism: "cgroup" },
    }),
    `${HEAD}|net.connect|Network connection|5|${START} cat=outcome outcome=prevented ${WHO} ` +
    `dst=192.0.2.1 dpt=443 proto=TCP ${SESSION} ${DECISION} cs6={"mechanism":"cgroup"} cs6Label=details ${SEQ} ` +
    "msg=net.connect 192.0.2.1:443 (prevented)",
  ],
  [
    "a loss",
    entry({ kind: "gap", gap: { source: "telemetry", type: "record", count: 3, cpu: 0 } }),
    `${HEAD}|gap|Records lost|5|${START} cat=gap ${WHO} cnt=3 ${SESSION} ` +
    `cs6={"gap":{"count":3,"cpu":0,"source":"telemetry","type":"record"}} cs6Label=details ${SEQ} ` +
    "msg=gap 3 record in telemetry",
  ],
  [
    "an alarm",
    entry({ kind: "guard", action: { type: "guard.tamper", detail: "entry 5 was edited" } }),
    `${HEAD}|guard.tamper|guard.tamper|10|${START} cat=guard ${WHO} ${SESSION} ` +
    `cs6={"detail":"entry 5 was edited"} cs6Label=details ${SEQ} msg=guard.tamper entry 5 was edited`,
  ],
  [
    "an action of a newer version",
    entry({ action: unknownAction("quantum.leap", { far: [1], mode: { deep: true } }) }),
    `${HEAD}|quantum.leap|quantum.leap|2|${START} cat=observation ${WHO} ${SESSION} ` +
    `cs6={"far":[1],"mode":{"deep":true}} cs6Label=details ${SEQ} msg=quantum.leap`,
  ],
];

describe("CEF", () => {
  test.each(TABLE)("%s", (_name, one, expected) => {
    expect(lines({ format: "cef" }, one)).toEqual([expected]);
  });

  test("the header escapes its separator, values theirs; neither ends the line", () => {
    const path = "/x|y=z\\\r\n act=allow";
    const [line = ""] = lines(
      { format: "cef", product_version: "1|2\\3\n", host: "h=1" },
      entry({ action: { type: "file.read", path, result: "0" } }),
    );
    expect(line).toStartWith("CEF:0|agentguard|agentguard|1\\|2\\\\3\\\\u000a|file.read|File opened for reading|2|");
    expect(line).toContain("|dvchost=h\\=1 ");
    expect(line).toContain(" filePath=/x|y\\=z\\\\\\r\\n act\\=allow ");
    expect(line).not.toMatch(/[\r\n]/);
  });

  test("nothing that a terminal acts on is left", () => {
    const path = "/\u001b]0;x\u0007\u009b2J\u202e\u2028\u{e0041}\ud800";
    const [line = ""] = lines({ format: "cef" }, entry({ action: { type: "file.read", path, result: "0" } }));
    expect(line).toContain("filePath=/\\\\u001b]0;x\\\\u0007\\\\u009b2J\\\\u202e\\\\u2028\\\\udb40\\\\udc41\ufffd ");
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Cs}]/u);
  });

  test("long values are cut at the bound of their key", () => {
    const [line = ""] = lines({ format: "cef" }, entry({ principal: "p".repeat(2_000) }));
    expect(line).toContain(` suser=${"p".repeat(1_020)}... `);
  });
});
