/**
 * What redaction costs: usual drafts, drafts that must be scanned, drafts that change. Prints time for each draft and
 * the ratio to writing the same draft as JSON in the same run; asserts nothing about time. `bun
 * test/bench/redact_bench.ts`
 */
import { cpus } from "node:os";
import { canonicalJson, type EntryDraft } from "../../lib/core/mod.ts";
import { createRedactor } from "../../lib/record/redact/mod.ts";

const ROUNDS = 41;
const DRAFTS = 10_000;
const redact = createRedactor({ key: new Uint8Array(32).fill(1) });
const shown = { pid: 1_234, start: "123456789", ppid: 1, uid: 1_000, exe: "/usr/bin/bash" };

/** Made anew for each number, as drafts are; strings are flat, as they come out of a decoder. */
const CASES: Readonly<Record<string, (n: number) => EntryDraft>> = {
  "file.read, usual path": (n) => ({
    time_us: n,
    kind: "observation",
    process: shown,
    action: { type: "file.read", path: flat(`/home/user/project/src/file_${n}.ts`), result: "0" },
  }),
  "file.read, long words in the path": (n) => ({
    time_us: n,
    kind: "observation",
    process: shown,
    action: {
      type: "file.read",
      path: flat(`/usr/lib/python3/site-packages/charset_normalizer/__pycache__/constant_${n}.cpython-311.pyc`),
      result: "0",
    },
  }),
  "exec, 6 words": (n) => ({
    time_us: n,
    kind: "observation",
    process: shown,
    action: { type: "exec", path: "/usr/bin/git", argv: ["git", "commit", "-q", "-m", flat(`fix ${n}`), "src"] },
  }),
  "net.connect": (n) => ({
    time_us: n,
    kind: "observation",
    process: shown,
    action: { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: n % 65_536 },
  }),
  "exec with a password (changes)": (n) => ({
    time_us: n,
    kind: "observation",
    process: shown,
    action: { type: "exec", path: "/usr/bin/psql", argv: ["psql", flat(`postgres://u:hunter${n}@db/x`)] },
  }),
  "tool.call, 4 KiB of code": (n) => ({
    time_us: n,
    kind: "observation",
    process: shown,
    action: { type: "tool.call", tool: "Write", source: "hook", args: { file_path: "/w/a.ts", content: code(n) } },
  }),
};

function flat(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

function code(n: number): string {
  return flat(
    `export function area${n}(width: number, height: number): number {\n  return width * height;\n}\n`.repeat(45),
  );
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Nanoseconds for each draft, one figure for each round, in order of size. */
function measure(drafts: readonly EntryDraft[], work: (draft: EntryDraft) => unknown): readonly number[] {
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (const draft of drafts) work(draft);
    figures.push((performance.now() - start) * 1e6 / drafts.length);
  }
  return figures.toSorted((a, b) => a - b);
}

process.stdout.write(`${cpus()[0]?.model ?? "unknown"}, Bun ${Bun.version}, ${ROUNDS} rounds\n`);
for (const [name, make] of Object.entries(CASES)) {
  const drafts = Array.from({ length: name.includes("KiB") ? DRAFTS / 20 : DRAFTS }, (_, n) => make(n));
  const redacted = measure(drafts, redact);
  const written = measure(drafts, canonicalJson);
  const [median, p99] = [quantile(redacted, 0.5), quantile(redacted, 0.99)];
  const ratio = median / quantile(written, 0.5);
  process.stdout.write(
    `${name.padEnd(36)} n ${String(drafts.length * ROUNDS).padStart(7)}  median ${median.toFixed(0).padStart(7)} ns` +
      `  p99 ${p99.toFixed(0).padStart(7)} ns  ${ratio.toFixed(2)} x canonical JSON\n`,
  );
}
