/** What `agentguard audit` can be asked for, as data. */
import type { FlagValues } from "../config/mod.ts";
import type { EntryKind, SessionId, Verdict, WallUs } from "../core/mod.ts";
import type { ExportFormat, KeepSettings, OcsfProfile } from "../record/mod.ts";

/** A moment on the command line: absolute, or an age that counts back from now. Microseconds. */
export type TimePoint =
  | { readonly kind: "at"; readonly time_us: WallUs }
  | { readonly kind: "ago"; readonly age_us: number };

/** Filters of `audit query`; all given ones must hold. */
export interface AuditFilter {
  readonly since: TimePoint | undefined;
  readonly until: TimePoint | undefined;
  readonly session_id: SessionId | undefined;
  readonly principal: string | undefined;
  /** Action type or a glob on it. */
  readonly type: string | undefined;
  readonly kind: EntryKind | undefined;
  readonly verdict: Verdict | undefined;
  readonly rule: string | undefined;
  readonly text: string | undefined;
  readonly pid: number | undefined;
  readonly after_seq: number | undefined;
  readonly before_seq: number | undefined;
  /** Most entries that are shown; absent shows all. */
  readonly limit: number | undefined;
  /** Newest first. */
  readonly newest: boolean;
}

/** Flags that several commands share, unchecked; `lib/config` resolves them. */
interface WithFlags {
  readonly flags: FlagValues;
}

/** Reads the record. */
export interface AuditQueryCommand extends WithFlags {
  readonly kind: "audit.query";
  readonly filter: AuditFilter;
}

/** Writes entries in the format of another system. */
export interface AuditExportCommand extends WithFlags {
  readonly kind: "audit.export";
  readonly filter: AuditFilter;
  readonly format: ExportFormat;
  readonly profile: OcsfProfile;
  /** File that is written; absent writes to stdout. */
  readonly output: string | undefined;
  /** Absent names this host. */
  readonly host: string | undefined;
}

/** Takes the texts of entries out. */
export interface AuditPruneCommand extends WithFlags {
  readonly kind: "audit.prune";
  readonly keep: KeepSettings;
  readonly dry_run: boolean;
}

/** Sets aside what is broken and lets the record go on. */
export interface AuditRepairCommand extends WithFlags {
  readonly kind: "audit.repair";
}

/** Puts the newest checkpoint into the second places of a policy. */
export interface AuditAnchorCommand extends WithFlags {
  readonly kind: "audit.anchor";
  readonly policies: readonly string[];
  /** Print the verifier key of this guard as a witness instead. */
  readonly show_key: boolean;
}

/** Which entries are erased, or held. */
export interface AuditSubject {
  readonly session_id: SessionId | undefined;
  readonly principal: string | undefined;
  readonly since: TimePoint | undefined;
  readonly until: TimePoint | undefined;
}

/** Takes the texts of one subject's entries out. */
export interface AuditEraseCommand extends WithFlags {
  readonly kind: "audit.erase";
  readonly subject: AuditSubject;
  readonly reason: string | undefined;
  readonly dry_run: boolean;
}

/** Keeps entries until the hold is released. */
export interface AuditHoldAddCommand extends WithFlags {
  readonly kind: "audit.hold.add";
  readonly name: string;
  readonly subject: AuditSubject;
  readonly reason: string | undefined;
}

/** Shows the holds in force. */
export interface AuditHoldListCommand extends WithFlags {
  readonly kind: "audit.hold.list";
}

/** Ends a hold. */
export interface AuditHoldReleaseCommand extends WithFlags {
  readonly kind: "audit.hold.release";
  readonly name: string;
  readonly reason: string | undefined;
}

/** What takes texts out, or keeps them in. */
export type AuditKeepCommand =
  | AuditPruneCommand
  | AuditEraseCommand
  | AuditHoldAddCommand
  | AuditHoldListCommand
  | AuditHoldReleaseCommand;

/** Verifies the record. */
export interface AuditVerifyCommand extends WithFlags {
  readonly kind: "audit.verify";
  /** File of a checkpoint that is known to be genuine. */
  readonly from: string | undefined;
  /** Public key, or a file with one. */
  readonly key: string | undefined;
}

/** Proves one entry. */
export interface AuditProveCommand extends WithFlags {
  readonly kind: "audit.prove";
  readonly entry_id: string;
}

/** Checks proofs, without a record. */
export interface AuditCheckProofCommand extends WithFlags {
  readonly kind: "audit.check-proof";
  readonly files: readonly string[];
  readonly key: string;
}

/** Proves that one checkpoint extends another. */
export interface AuditConsistencyCommand extends WithFlags {
  readonly kind: "audit.consistency";
  readonly older: string;
  readonly newer: string;
  readonly key: string | undefined;
}

/** Prints the newest checkpoint. */
export interface AuditCheckpointCommand extends WithFlags {
  readonly kind: "audit.checkpoint";
  readonly show_key: boolean;
}

/** Puts a new signing key in force. */
export interface AuditRotateKeyCommand extends WithFlags {
  readonly kind: "audit.rotate-key";
}

/** Everything that `audit` can be asked for. */
export type AuditCommand =
  | AuditQueryCommand
  | AuditExportCommand
  | AuditKeepCommand
  | AuditRepairCommand
  | AuditAnchorCommand
  | AuditVerifyCommand
  | AuditProveCommand
  | AuditCheckProofCommand
  | AuditConsistencyCommand
  | AuditCheckpointCommand
  | AuditRotateKeyCommand;
