/** What the tests of redaction share. */
import { createHmac } from "node:crypto";
import type { EntryDraft } from "../../../lib/core/mod.ts";
import { createRedactor, type RedactLimits, type Redactor } from "../../../lib/record/redact/mod.ts";

export const KEY: Uint8Array = new Uint8Array(32).fill(7);

export function redactor(limits: RedactLimits = {}): Redactor {
  return createRedactor({ key: KEY, limits });
}

/** A draft that carries a free text. */
export function textDraft(detail: string): EntryDraft {
  return { time_us: 1, kind: "guard", action: { type: "guard.ready", detail } };
}

/** A draft that carries the words of a command. */
export function execDraft(argv: readonly string[]): EntryDraft {
  return { time_us: 1, kind: "observation", action: { type: "exec", path: "/bin/x", argv } };
}

/** What is left of a free text. */
export function redactText(text: string, limits: RedactLimits = {}): string {
  const { action } = redactor(limits)(textDraft(text));
  if (action?.type !== "guard.ready") throw new Error("the action changed its type");
  return action.detail;
}

/** What is left of the words of a command. */
export function redactArgv(...argv: readonly string[]): readonly string[] {
  const { action } = redactor()(execDraft(argv));
  if (action?.type !== "exec") throw new Error("the action changed its type");
  return action.argv;
}

/** What is left of a path. */
export function redactPath(path: string): string {
  const { action } = redactor()({ time_us: 1, kind: "observation", action: { type: "file.read", path, result: "0" } });
  if (action?.type !== "file.read") throw new Error("the action changed its type");
  return action.path;
}

/** The mark of a secret, by an implementation of HMAC that the product does not use. */
export function mark(kind: string, secret: string): string {
  return `[redacted:${kind}:${createHmac("sha256", KEY).update(secret).digest("hex").slice(0, 8)}]`;
}
