/** Requests to the keeper that come from another process. */
import { describe, expect, test } from "bun:test";
import { readKeepRequest } from "../../../lib/record/mod.ts";

const ID = "01JABCDEFGHJKMNPQRSTVWXYZ0";

describe("a request", () => {
  test.each<unknown>([
    { op: "prune", keep_ms: 1, dry_run: false },
    { op: "prune", max_bytes: 1, keep_sessions: 2, dry_run: true },
    { op: "erase", terms: { session_id: ID }, dry_run: false },
    { op: "erase", terms: { principal: "p", since: "s", until: "u" }, reason: "r", dry_run: true },
    { op: "hold.add", terms: { name: "n", principal: "p" } },
    { op: "hold.release", name: "n", reason: "r" },
  ])("%j is read as it is", (request) => {
    const read = readKeepRequest(JSON.parse(JSON.stringify(request)));
    expect(read).toEqual({ ok: true, value: expect.objectContaining(JSON.parse(JSON.stringify(request))) });
  });

  test.each<[unknown, string]>([
    [undefined, "one JSON object"],
    [[], "one JSON object"],
    [{}, "use one of"],
    [{ op: "drop" }, "use one of"],
    [{ op: "prune", dry_run: false }, "at least one bound"],
    [{ op: "prune", keep_ms: 0 }, "whole numbers from 1"],
    [{ op: "prune", keep_ms: "1" }, "whole numbers from 1"],
    [{ op: "prune", keep_ms: 1e300 }, "whole numbers from 1"],
    [{ op: "prune", keep_days: 30 }, "unknown member"],
    [{ op: "erase", terms: {} }, "the session or the principal"],
    [{ op: "erase", terms: { since: "2026-01-01T00:00:00Z" } }, "the session or the principal"],
    [{ op: "erase", terms: { session_id: "x" } }, "id of 26 characters"],
    [{ op: "erase", terms: { principal: "" } }, "as texts"],
    [{ op: "erase", terms: { principal: "p".repeat(1_025) } }, "as texts"],
    [{ op: "erase", terms: { principle: "p" } }, "unknown member"],
    [{ op: "erase", terms: { principal: "p" }, force: true }, "unknown member"],
    [{ op: "hold.add" }, "the terms of the hold"],
    [{ op: "hold.add", terms: { principal: "p" } }, "name and reason"],
    [{ op: "hold.release", name: "" }, "name and reason"],
    [{ op: "hold.release", name: "n", all: true }, "unknown member"],
  ])("%j is refused", (request, said) => {
    const read = readKeepRequest(request);
    expect(read.ok ? "" : read.error).toContain(said);
  });
});
