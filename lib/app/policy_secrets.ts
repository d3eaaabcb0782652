/** Secrets that somebody wrote into a policy: the file is read by many, and its values stand in messages. */
import type { Diagnostic, PolicySource } from "../decide/mod.ts";
import { findSecrets } from "../record/mod.ts";

/** Findings of one check; a file of keys needs no thousand of them. */
const FINDINGS_MAX = 20;

/** A warning at each, without the secret itself. */
export function policySecrets(sources: readonly PolicySource[]): readonly Diagnostic[] {
  const findings: Diagnostic[] = [];
  for (const { file, bytes } of sources) {
    for (const [i, text] of new TextDecoder().decode(bytes).split("\n").entries()) {
      for (const { start, kind } of findSecrets(text)) {
        if (findings.length >= FINDINGS_MAX) return findings;
        findings.push({
          file,
          line: i + 1,
          column: start + 1,
          severity: "warning",
          message: `this looks like a secret (${kind}): a policy is read, shown and recorded`,
          suggestion: "take it out, and change it where it is used",
        });
      }
    }
  }
  return findings;
}
