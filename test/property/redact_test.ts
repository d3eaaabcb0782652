/** Redaction on arbitrary texts: nothing planted survives, twice is once, work is linear, nothing throws. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import type { EntryDraft } from "../../lib/core/mod.ts";
import { createRedactor } from "../../lib/record/redact/mod.ts";
import { PATH, type ScanMode, TEXT } from "../../lib/record/redact/scan.ts";
import { isSuspicious, scanText } from "../../lib/record/redact/text.ts";

const redact = createRedactor({ key: new Uint8Array(32).fill(1), limits: { text_chars_max: 4_096 } });
const RUNS = { numRuns: 2_000 };

// Work is bounded by the number of runs, not by time: a busy machine is no failure.
setDefaultTimeout(120_000);

function from(alphabet: string, length: number): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...alphabet), { minLength: length, maxLength: length }).map((chars) =>
    chars.join("")
  );
}

const ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** Credentials of each form, drawn at random. */
const secret = fc.oneof(
  from(ALNUM, 36).map((body) => `${"ghp"}_${body}`),
  from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16).map((body) => `${"AKIA"}${body}`),
  from(`${ALNUM}-_`, 60).map((body) => `${"sk-"}ant-api03-${body}`),
  from(ALNUM, 24).map((body) => `${"sk"}_live_${body}`),
  from(`${ALNUM}-`, 30).map((body) => `${"xoxb"}-${body}`),
  from(`${ALNUM}-_`, 35).map((body) => `${"AI"}za${body}`),
  fc.tuple(from(`${ALNUM}-_`, 40), from(`${ALNUM}-_`, 40)).map(([a, b]) => `eyJhbGciOiJIUzI1NiJ9.eyJ${a}.${b}`),
  from(`${ALNUM}+/\n`, 300).map((body) => `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----`),
  // Letters of both cases and digits by turns: random beyond doubt.
  fc.tuple(from("abcdefghijklmnopqrstuvwxyz", 12), from("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 12), from("0123456789", 12))
    .filter(([a, b]) => new Set([...a, ...b]).size >= 12)
    .map(([a, b, c]) => [...a].map((char, i) => `${char}${b.charAt(i)}${c.charAt(i)}`).join("")),
);

/** What stands before and after a secret. */
const around = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "key=",
    '{"a":"',
    "https://h/?x=",
    "\ud800",
    "\0",
    "-----BEGIN CERTIFICATE-----",
    "token: ",
    "-p",
    "[",
  ),
);

const planted = fc.record({
  before: around,
  left: fc.constantFrom("", " ", '"', "=", ":", "(", "\n", ","),
  secret,
  right: fc.constantFrom("", " ", '"', "'", ")", "\n", ",", ";"),
  after: around,
}).filter(({ before, left, right, after }) =>
  // A letter or digit right beside it makes it another word.
  !/[A-Za-z0-9_+\-/.]$/.test(before + left) && !/^[A-Za-z0-9_+\-/.]/.test(right + after)
);

function drafts(text: string): readonly EntryDraft[] {
  return [
    { time_us: 1, kind: "guard", action: { type: "guard.ready", detail: text } },
    { time_us: 1, kind: "observation", action: { type: "exec", path: "/x", argv: ["x", "-c", text] } },
    { time_us: 1, kind: "observation", process: { pid: 1, start: "1", argv: [text] } },
    { time_us: 1, kind: "observation", action: { type: "tool.call", tool: "t", source: "s", args: { a: [text] } } },
    { time_us: 1, kind: "observation", action: { type: "tool.call", tool: "t", source: "s", args: { [text]: 1 } } },
  ];
}

describe("redaction", () => {
  test("no planted secret survives in the JSON", () => {
    fc.assert(
      fc.property(planted, (parts) => {
        const text = `${parts.before}${parts.left}${parts.secret}${parts.right}${parts.after}`;
        const inner = JSON.stringify(parts.secret).slice(1, -1);
        for (const draft of drafts(text)) expect(JSON.stringify(redact(draft))).not.toContain(inner);
      }),
      RUNS,
    );
  });

  test("no planted card survives", () => {
    const card = from("0123456789", 14).map((rest) => withCheckDigit(`4${rest}`));
    fc.assert(
      fc.property(card, fc.constantFrom("", " ", "-"), (number, separator) => {
        const shown = number.match(/.{4}/g)?.join(separator) ?? "";
        expect(JSON.stringify(redact(drafts(`pay ${shown} now`)[0] ?? { time_us: 1, kind: "gap" }))).not.toContain(
          shown,
        );
      }),
      RUNS,
    );
  });

  test("what was redacted is not redacted again", () => {
    const piece = fc.oneof(
      around,
      secret,
      fc.constantFrom("password=", "a@b.example", "://", "@", "--token ", "[cut:"),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        for (const draft of drafts(pieces.join(""))) {
          const once = redact(draft);
          expect(redact(once)).toEqual(once);
        }
      }),
      RUNS,
    );
  });

  test("a text that is not suspicious holds nothing that a scan would find", () => {
    const calm = fc.string({ unit: fc.constantFrom(..."ab1A9/. -_,p\n@:=") as fc.Arbitrary<string>, maxLength: 60 });
    fc.assert(
      fc.property(calm, fc.constantFrom(TEXT, PATH), (text, mode) => {
        if (!isSuspicious(text)) expect(scanText(text, mode).findings).toEqual([]);
      }),
      RUNS,
    );
  });

  test("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 }), (codes) => {
        for (const draft of drafts(String.fromCharCode(...codes))) redact(draft);
      }),
      RUNS,
    );
    for (const unit of ["\ud800", "\udfff", "\0", "\ud83d\ude00", "a", "@", "=", "[", '"']) {
      for (const draft of drafts(unit.repeat(1_048_576))) {
        expect(JSON.stringify(redact(draft)).length).toBeLessThan(100_000);
      }
    }
  });
});

describe("linear work", () => {
  const pieces: readonly string[] = [
    "a",
    "aB3dE5gH7jK9mN1pQ3",
    "0",
    "4111 ",
    "4111-",
    "@",
    "a@",
    "a.b@c.",
    "=",
    "a=",
    "token:",
    "token=",
    "password=",
    "password=[redacted:",
    'password="',
    'password=\\"',
    "password='\\\"",
    "secret=/",
    "secret=$(",
    "secret=<",
    "authorization:",
    "cookie: a",
    "://",
    "://a:b/",
    "x://a:b/ ",
    "eyJ",
    "eyJaaaaaaaaaaaaaaaaaaa.",
    "eyJaaaaaaaaaaaaaaaaaaa",
    "-----BEGIN ",
    "-----BEGIN X-----",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN X----------END ",
    "-",
    " -p ' ",
    ' --password " ',
    "sk-",
    "sk-a",
    "SG.",
    "Bearer ",
    "AKIA",
    "ghp_",
    ":AA",
    "/",
    "a/",
    "[redacted:x:01234567]",
    "[redacted:",
    "[cut:",
    "mysql -p",
    "curl -u a:b ",
    ";|&(",
    "'\"`",
    "\\",
    "\ud800",
    "\0",
  ];
  const modes: readonly ScanMode[] = [TEXT, PATH];

  /** Steps for each character. */
  function stepsPerChar(text: string, mode: ScanMode): number {
    return scanText(text, mode).steps / text.length;
  }

  test.each(pieces)("%j ten times as long costs ten times as much", (piece) => {
    for (const mode of modes) {
      const short = stepsPerChar(piece.repeat(Math.ceil(4_000 / piece.length)), mode);
      const long = stepsPerChar(piece.repeat(Math.ceil(40_000 / piece.length)), mode);
      expect(long).toBeLessThan(short * 1.5 + 1);
      expect(long).toBeLessThan(400);
    }
  });

  test("so does any mixture", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 }), (mixed) => {
        const unit = mixed.join("");
        const short = stepsPerChar(unit.repeat(Math.ceil(2_000 / unit.length)), TEXT);
        const long = stepsPerChar(unit.repeat(Math.ceil(20_000 / unit.length)), TEXT);
        expect(long).toBeLessThan(short * 2 + 10);
      }),
      { numRuns: 500 },
    );
  });
});

function withCheckDigit(digits: string): string {
  for (let check = 0; check < 10; check++) {
    const sum = [...`${digits}${check}`].reverse().reduce((total, char, i) => {
      const value = Number(char) * (i % 2 === 0 ? 1 : 2);
      return total + (value > 9 ? value - 9 : value);
    }, 0);
    if (sum % 10 === 0) return `${digits}${check}`;
  }
  throw new Error("no check digit");
}
