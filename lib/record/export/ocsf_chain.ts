/**
 * What OCSF 1.9 adds: the agent behind an event, and an attestation that chains the exported events. Source:
 * ocsf-schema 1.9, profiles `ai_operation` and `record_integrity`, objects `ai_agent`, `attestation`, `prev_event`.
 */
import { canonicalJson, type Entry } from "../../core/mod.ts";
import { textAt } from "./fields.ts";
import { objectOf, type OcsfObject } from "./ocsf_objects.ts";

/** Sessions whose agent is remembered: as many as run at once and a good deal of those before. */
const SESSIONS_MAX = 4_096;

/** Adds agents and attestations to the events of one export, in order. */
export class OcsfChain {
  readonly #authority: string;
  readonly #agents: Map<string, string> = new Map();
  #chain_uid: string | undefined;
  #before: OcsfObject | undefined;

  /** `authority` names who exports; `chain_uid` the chain, by default after the first event. */
  constructor(authority: string, chain_uid?: string) {
    this.#authority = authority;
    this.#chain_uid = chain_uid;
  }

  /** The event of 1.9. Its fingerprint is the SHA-256 of its canonical JSON (RFC 8785) without `fingerprint`. */
  add(entry: Entry, event: OcsfObject): OcsfObject {
    this.#chain_uid ??= `${this.#authority}/${entry.entry_id}`;
    const agent = this.#agentOf(entry);
    const metadata = event["metadata"];
    const known = typeof metadata === "object" && metadata !== null ? metadata : {};
    const profiles = "profiles" in known && Array.isArray(known.profiles) ? known.profiles : [];
    const added = agent === undefined ? ["record_integrity"] : ["ai_operation", "record_integrity"];
    const attestation = {
      uid: entry.entry_id,
      authority_uid: this.#authority,
      chain_uid: this.#chain_uid,
      ...(this.#before === undefined ? {} : { prev_event: this.#before }),
    };
    const unsealed = {
      ...event,
      ...(agent === undefined ? {} : { ai_agent: agent }),
      metadata: { ...known, version: "1.9.0", profiles: [...profiles, ...added] },
    };
    const value = sha256(canonicalJson({ ...unsealed, attestation_list: [attestation] }));
    const fingerprint = { algorithm_id: 3, algorithm: "SHA-256", encoding_id: 1, encoding: "Hex", value };
    this.#before = { uid: entry.entry_id, type_uid: event["type_uid"], fingerprint };
    return { ...unsealed, attestation_list: [{ ...attestation, fingerprint }] };
  }

  /** Who runs the session. The name of its program is known from where the export saw the session begin. */
  #agentOf(entry: Entry): OcsfObject | undefined {
    const session = textAt(entry, "entry", "session_id");
    if (session === undefined) return undefined;
    const named = textAt(entry, "action", "agent");
    if (named !== undefined) this.#remember(session, named);
    const name = named ?? this.#agents.get(session);
    const uid = name ?? textAt(entry, "entry", "principal") ?? session;
    return objectOf({ uid, instance_uid: session, name, type_id: 0, type: "Unknown" });
  }

  #remember(session: string, name: string): void {
    this.#agents.delete(session);
    this.#agents.set(session, name);
    const oldest = this.#agents.size > SESSIONS_MAX ? this.#agents.keys().next().value : undefined;
    if (oldest !== undefined) this.#agents.delete(oldest);
  }
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
