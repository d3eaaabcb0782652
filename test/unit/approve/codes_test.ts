/** One-time codes, signatures and secrets: published vectors, and what must not count. */
import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import {
  APPROVAL_LIMITS,
  decodeTotpSecret,
  readSecret,
  SignatureChecker,
  signMessage,
  TotpChecker,
  totpCode,
  UsedCodes,
} from "../../../lib/approve/mod.ts";
import { TempDir } from "../publish/support.ts";
import { codeMemory } from "./support.ts";

/** RFC 6238 appendix B, SHA-1: eight digits there, six here. */
const RFC_SECRET = new TextEncoder().encode("12345678901234567890");

describe("one-time codes", () => {
  test.each<[number, string]>([
    [59, "287082"],
    [1_111_111_109, "081804"],
    [1_111_111_111, "050471"],
    [1_234_567_890, "005924"],
    [2_000_000_000, "279037"],
    [20_000_000_000, "353130"],
  ])("RFC 6238 at %d s", (seconds, code) => {
    expect(totpCode(RFC_SECRET, Math.floor(seconds / 30))).toBe(code);
  });

  test("base 32, RFC 4648 section 10 and as programs print it", () => {
    expect(decodeTotpSecret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")).toEqual(RFC_SECRET);
    expect(decodeTotpSecret("gezd gnbv gy3t qojq gezd gnbv gy3t qojq==")).toEqual(RFC_SECRET);
    expect(() => decodeTotpSecret("GEZDGNBVGY3TQOJQ")).toThrow("at least 16 bytes");
    expect(() => decodeTotpSecret("GEZDGNBVGY3TQOJ1")).toThrow("base 32");
  });

  test("one step early or late counts, two do not, none counts twice or after a later one", () => {
    const at = (seconds: number): { readonly wall_us: number; readonly now_ms: number } => ({
      wall_us: seconds * 1_000_000,
      now_ms: seconds * 1_000,
    });
    const take = (seconds: number, step: number, checker = new TotpChecker(RFC_SECRET, codeMemory())): boolean =>
      checker.take(totpCode(RFC_SECRET, step), at(seconds)).ok;
    expect([8, 9, 10, 11, 12].map((step) => take(300, step))).toEqual([false, true, true, true, false]);
    const checker = new TotpChecker(RFC_SECRET, codeMemory());
    expect([take(300, 10, checker), take(300, 10, checker), take(300, 9, checker), take(300, 11, checker)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  test("after some wrong codes none counts for a while", () => {
    const checker = new TotpChecker(RFC_SECRET, codeMemory());
    const good = totpCode(RFC_SECRET, 10);
    const bad = good === "123456" ? "654321" : "123456";
    const at = { wall_us: 300_000_000, now_ms: 0 };
    for (let i = 0; i < APPROVAL_LIMITS.codes_wrong_max; i++) expect(checker.take(bad, at).ok).toBe(false);
    expect(checker.take(good, at)).toMatchObject({ ok: false, error: expect.stringContaining("wait") });
    expect(checker.take(good, { ...at, now_ms: APPROVAL_LIMITS.codes_refused_ms }).ok).toBe(true);
    expect(checker.take(undefined, at).ok).toBe(false);
    expect(checker.take("12345", { ...at, now_ms: 1e9 }).ok).toBe(false);
  });
});

describe("used codes", () => {
  const at = { wall_us: 300_000_000, now_ms: 0 };
  const code = totpCode(RFC_SECRET, 10);
  const key = new Uint8Array(32).fill(9);

  function open(dir: TempDir, tampered: string[] = []): UsedCodes {
    return new UsedCodes({ path: `${dir.path}/codes.db`, key, onTampered: (detail) => tampered.push(detail) });
  }

  test("count once, whatever was started again in between, and only for their secret", () => {
    using dir = new TempDir();
    {
      using codes = open(dir);
      expect(new TotpChecker(RFC_SECRET, codes).take(code, at).ok).toBe(true);
    }
    using codes = open(dir);
    expect(new TotpChecker(RFC_SECRET, codes).take(code, at)).toMatchObject({
      ok: false,
      error: expect.stringContaining("used already"),
    });
    const other = new TextEncoder().encode("another secret of 20");
    expect(new TotpChecker(other, codes).take(totpCode(other, 10), at).ok).toBe(true);
    expect(readFileSync(`${dir.path}/codes.db`).includes(Buffer.from(RFC_SECRET))).toBe(false);
  });

  test("of which somebody changed the time: no code up to now counts, a later one does, and it is told", () => {
    using dir = new TempDir();
    {
      using codes = open(dir);
      new TotpChecker(RFC_SECRET, codes).take(code, at);
    }
    {
      const database = new Database(`${dir.path}/codes.db`);
      database.run("UPDATE codes SET step = 1");
      database.close();
    }
    const tampered: string[] = [];
    using codes = open(dir, tampered);
    const checker = new TotpChecker(RFC_SECRET, codes);
    expect([checker.take(code, at).ok, checker.take(totpCode(RFC_SECRET, 11), at).ok]).toEqual([false, false]);
    expect(tampered).toHaveLength(1);
    expect(checker.take(totpCode(RFC_SECRET, 12), { ...at, wall_us: 360_000_000 }).ok).toBe(true);
  });

  test("that cannot be kept do not count", () => {
    const full = {
      last: () => -1,
      use: () => {
        throw new Error("disk full");
      },
    };
    expect(new TotpChecker(RFC_SECRET, full).take(code, at)).toMatchObject({
      ok: false,
      error: expect.stringContaining("disk full"),
    });
  });
});

describe("signed messages", () => {
  const secret = new TextEncoder().encode("a secret of some length");
  const now_us = 1_800_000_000_000_000;
  const header = (headers: Readonly<Record<string, string>>) => (name: string): string | null => headers[name] ?? null;

  test("HMAC-SHA256 over time and body, as a receiver with the same secret computes it", () => {
    const signed = signMessage(secret, '{"a":1}', now_us);
    const expected = new Bun.CryptoHasher("sha256", secret).update('1800000000.{"a":1}').digest("hex");
    expect(signed).toEqual({ "x-agentguard-timestamp": "1800000000", "x-agentguard-signature": `v1=${expected}` });
  });

  test("counts once, within the window, for this body and this secret only", () => {
    const signed = header(signMessage(secret, "body", now_us));
    const checker = new SignatureChecker(secret);
    expect(checker.check(signed, "other", now_us).ok).toBe(false);
    expect(new SignatureChecker(new Uint8Array(24)).check(signed, "body", now_us).ok).toBe(false);
    const window_us = APPROVAL_LIMITS.signature_window_ms * 1_000;
    for (const off of [-1, 1]) {
      expect(checker.check(signed, "body", now_us + off * (window_us + 1_000_000)).ok).toBe(false);
    }
    expect(checker.check(signed, "body", now_us + window_us).ok).toBe(true);
    expect(checker.check(signed, "body", now_us + window_us)).toMatchObject({
      error: "the message was received already",
    });
    expect(checker.check(header({}), "body", now_us).ok).toBe(false);
    const other_time = { ...signMessage(secret, "body", now_us), "x-agentguard-timestamp": "1800000001" };
    expect(checker.check(header(other_time), "body", now_us).ok).toBe(false);
  });
});

describe("secrets", () => {
  const what = { what: "token", chars_min: 8 };
  test("the first line of a private file, or a variable", () => {
    using dir = new TempDir();
    writeFileSync(`${dir.path}/s`, "  hunter2hunter2 \nrest\n", { mode: 0o600 });
    expect(readSecret({ file: `${dir.path}/s` }, {}, what)).toBe("hunter2hunter2");
    expect(readSecret({ env: "TOKEN" }, { TOKEN: "hunter2hunter2" }, what)).toBe("hunter2hunter2");
  });

  test("not a file that others can read, a link, a short one or none", () => {
    using dir = new TempDir();
    writeFileSync(`${dir.path}/s`, "hunter2hunter2", { mode: 0o600 });
    symlinkSync(`${dir.path}/s`, `${dir.path}/link`);
    expect(() => readSecret({ file: `${dir.path}/link` }, {}, what)).toThrow("use the token");
    chmodSync(`${dir.path}/s`, 0o640);
    expect(() => readSecret({ file: `${dir.path}/s` }, {}, what)).toThrow("chmod 600");
    expect(() => readSecret({ file: `${dir.path}/none` }, {}, what)).toThrow("use the token");
    expect(() => readSecret({ file: dir.path }, {}, what)).toThrow("no regular file");
    expect(() => readSecret({ env: "TOKEN" }, { TOKEN: "short" }, what)).toThrow("at least 8");
    expect(() => readSecret({ env: "TOKEN" }, {}, what)).toThrow("at least 8");
  });
});
