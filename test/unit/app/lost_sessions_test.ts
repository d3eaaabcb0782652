/** What the next guard makes of the notes of launchers whose guard died. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lostFile, lostSessions } from "../../../lib/app/lost_sessions.ts";
import type { SessionId } from "../../../lib/core/mod.ts";

let dir = "";
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "ag-lost-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const ID = "01M8PXNM5REA5QVY3GW2D9J2NH" as SessionId;
const NOW = 1_900_000_000_000_000;

function details(content: string): readonly (string | undefined)[] {
  writeFileSync(lostFile(dir, ID), content);
  return lostSessions(dir, NOW).flatMap(({ drafts }) =>
    drafts.flatMap(({ action }) => action !== undefined && "detail" in action ? [String(action.detail)] : [])
  );
}

test("times and ends are read; what is not such a note is told as unknown, never believed", () => {
  const start = `session ${ID} was without its guard`;
  const from = "from 2030-01-01T00:00:00.000000Z";
  expect(details("lost 1893456000000000\nended 1893456001000000\n")).toEqual([
    `${start} ${from} to 2030-01-01T00:00:01.000000Z`,
  ]);
  expect(details("lost 1893456000000000\nkilled 1893456001000000\n")).toEqual([
    `${start} ${from} to 2030-01-01T00:00:01.000000Z; its tree was ended`,
  ]);
  expect(details("lost 1893456000000000\n")).toEqual([`${start} ${from} until an unknown time`]);
  for (const wrong of ["", "lost\n", "lost 1\nended", "x".repeat(500), "lost 99999999999999999999\n"]) {
    expect(details(wrong)).toEqual([`${start} since an unknown time until an unknown time`]);
  }
});

test("a note goes when it is forgotten, and not before", () => {
  writeFileSync(lostFile(dir, ID), "lost 1893456000000000\n");
  const [lost] = lostSessions(dir, NOW);
  expect(existsSync(lostFile(dir, ID))).toBe(true);
  lost?.forget();
  expect(existsSync(lostFile(dir, ID))).toBe(false);
  expect(lostSessions(dir, NOW)).toEqual([]);
});

test("links, directories and other names are no notes", () => {
  writeFileSync(join(dir, "lost-and-found"), "");
  expect(lostSessions(dir, NOW)).toEqual([]);
  writeFileSync(join(dir, "elsewhere"), "lost 1\n");
  symlinkSync(join(dir, "elsewhere"), lostFile(dir, ID));
  const [link] = lostSessions(dir, NOW);
  expect(link?.drafts.map(({ action }) => action?.type)).toEqual(["guard.degraded"]);
  rmSync(lostFile(dir, ID));
  mkdirSync(lostFile(dir, ID));
  expect(lostSessions(dir, NOW)[0]?.drafts.map(({ action }) => action?.type)).toEqual(["guard.degraded"]);
});
