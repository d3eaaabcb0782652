/** The help of `agentguard audit`. */
import type { HelpText } from "./cli_help.ts";

/** Path of an audit command with help. */
export type AuditHelpPath =
  | "audit"
  | "audit query"
  | "audit export"
  | "audit prune"
  | "audit erase"
  | "audit repair"
  | "audit anchor"
  | "audit hold"
  | "audit hold add"
  | "audit hold list"
  | "audit hold release"
  | "audit verify"
  | "audit prove"
  | "audit check-proof"
  | "audit consistency"
  | "audit checkpoint"
  | "audit rotate-key";

/** By command path. */
export const AUDIT_HELP: Readonly<Record<AuditHelpPath, HelpText>> = {
  audit: {
    purpose: `Reads and verifies the record. Needs no running guard.`,
    after: `
Examples:
  agentguard audit query --verdict deny
  agentguard audit verify
  agentguard audit checkpoint --show-key`,
  },
  "audit query": {
    purpose: `Prints entries of the record, one line each; all given filters must hold.`,
    after: `
Examples:
  agentguard audit query --since 1h --type 'net.*'
  agentguard audit query --newest --limit 20
  agentguard audit query --state /var/lib/agentguard --json | head

Exit codes:
  0  done, also when nothing matches
  1  there is no record, or it cannot be read
  2  wrong usage`,
  },
  "audit export": {
    purpose: `Writes entries in the format of another system: JSON lines as stored, OCSF events, CEF, or OTLP/JSON logs.

Entries come oldest first, one per line (OTLP: up to 512 in one), and all given filters must hold.`,
    after: `
Examples:
  agentguard audit export --format ocsf --since 1h
  agentguard audit export --format ocsf --ocsf-profile 1.9 --output today.ocsf.jsonl
  agentguard audit export --format cef --verdict deny | logger -t agentguard

Exit codes:
  0  done, also when nothing matches
  1  there is no record, it cannot be read, or the file cannot be written
  2  wrong usage`,
  },
  "audit prune": {
    purpose: `Takes the texts of entries out of the record: what is too old, or too much.

Their hashes stay, so that the record verifies as before and says what was pruned. What a hold keeps stays.
A guard does the same by itself: [record] keep, max_bytes and keep_sessions in its policy.`,
    after: `
Examples:
  agentguard audit prune --older-than 30d --dry-run
  agentguard audit prune --max-size 10GiB

Exit codes:
  0  done
  1  there is no record, or it cannot be written
  2  wrong usage`,
  },
  "audit erase": {
    purpose: `Takes the texts of one session or one principal out of the record, and overwrites them in its file.

What a hold keeps stays. Copies are not reached: files of JSON lines, backups, what was set aside after tampering.`,
    after: `
Examples:
  agentguard audit erase --principal alice --reason 'request 17'
  agentguard audit erase --session 01JABCDEFGHJKMNPQRSTVWXYZ0 --dry-run

Exit codes:
  0  done
  1  there is no record, or it cannot be written
  2  wrong usage`,
  },
  "audit repair": {
    purpose: `Makes a record that does not verify sound again, and records what is missing. No guard may be running.

The damaged database is kept beside it first. An entry that does not fit its hash loses its text, index and tree are
made again, and what nobody signed is left out. A record that does not lead to what was signed last cannot go on: a new
one is begun under another origin.`,
    after: `
Example:
  agentguard audit repair

Exit codes:
  0  done, or nothing was wrong
  1  a guard writes the record, there is none, or it cannot be written
  2  wrong usage`,
  },
  "audit anchor": {
    purpose: `Puts the newest checkpoint into the second places that the policy names, now.

A guard does it by itself, each minute or as [record] anchor_every says, and at its end. Only a checkpoint elsewhere
shows that the end of a record was cut off. With --show-key: prints the verifier key of this state directory as a
witness for other guards, for their policy.`,
    after: `
Examples:
  agentguard audit anchor --policy policy.toml
  agentguard audit verify --from /mnt/elsewhere/anchors.txt
  agentguard audit anchor --show-key

Exit codes:
  0  every place has it
  1  one place does not, or knows another history, or there is no record
  2  wrong usage, or the policy has errors or names no place`,
  },
  "audit hold": {
    purpose: `Keeps entries whatever else says that they may go, until the hold is released.`,
    after: `
Example:
  agentguard audit hold add case-12 --principal alice --since 2026-01-01`,
  },
  "audit hold add": {
    purpose: `Adds a hold and records it: all given conditions must hold for an entry to be kept.`,
    after: `
Example:
  agentguard audit hold add case-12 --session 01JABCDEFGHJKMNPQRSTVWXYZ0 --reason 'asked for by counsel'

Exit codes:
  0  done
  1  there is no record, or it cannot be written
  2  wrong usage, or a hold of this name is in force`,
  },
  "audit hold list": { purpose: `Shows the holds in force.`, after: "" },
  "audit hold release": {
    purpose: `Releases a hold and records it.`,
    after: `
Example:
  agentguard audit hold release case-12 --reason 'case closed'

Exit codes:
  0  done
  1  there is no such hold or no record, or it cannot be written
  2  wrong usage`,
  },
  "audit verify": {
    purpose: `Checks that no entry of the record was changed, removed or put in, and that its key signed it.

Without --key the record is compared with the signing key beside it. With --from only what came after
that checkpoint is verified, and that the record still begins with what it signed.`,
    after: `
Examples:
  agentguard audit verify
  agentguard audit verify --from checkpoint.txt --key public.key

Exit codes:
  0  all is well
  1  the record was tampered with (the place is named), is missing, or cannot be read
  2  wrong usage`,
  },
  "audit prove": {
    purpose: `Prints a proof of one entry that can be checked elsewhere with the public key alone.`,
    after: `
Example:
  agentguard audit prove 01JABCDEFGHJKMNPQRSTVWXYZ0 > proof.json

Exit codes:
  0  done
  1  there is no such entry, or the record is not whole
  2  wrong usage`,
  },
  "audit check-proof": {
    purpose: `Checks proofs. Needs no record, only the public key.`,
    after: `
Example:
  agentguard audit check-proof proof.json --key public.key

Exit codes:
  0  every entry was in the record when its checkpoint was signed
  1  a proof does not hold
  2  wrong usage`,
  },
  "audit consistency": {
    purpose: `Proves from the record that a later checkpoint extends an earlier one: nothing before it was changed.`,
    after: `
Example:
  agentguard audit consistency monday.txt friday.txt --key public.key

Exit codes:
  0  the later one extends the earlier one
  1  it does not, or the record contradicts one of them
  2  wrong usage`,
  },
  "audit checkpoint": {
    purpose: `Prints the newest signed checkpoint: keep it elsewhere, and a cut or changed record is found against it.`,
    after: `
Examples:
  agentguard audit checkpoint > checkpoint.txt
  agentguard audit checkpoint --show-key | tail -1 > public.key

Exit codes:
  0  done
  1  there is no record
  2  wrong usage`,
  },
  "audit rotate-key": {
    purpose: `Puts a new signing key in force and records it in an entry that both keys sign. No guard may be running.`,
    after: `
Example:
  agentguard audit rotate-key

Exit codes:
  0  done
  1  a guard writes the record, or it cannot be read
  2  wrong usage`,
  },
};
