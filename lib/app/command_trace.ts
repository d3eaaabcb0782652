/** `agentguard trace ID`: one decision in the record, from what was asked for to what came of it. */
import { AgentguardError, type Entry, isUlid, ulidBytes } from "../core/mod.ts";
import { entryOf, type EntryQuery, openRecordReader, type RecordReader } from "../record/mod.ts";
import { EXIT, type TraceCommand } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { formatEntry } from "./format_entry.ts";
import { painter } from "./format_text.ts";

/** Which part of the way an entry tells. */
type Phase = "decision" | "approval" | "effect" | "outcome";

/** Entries of one trace; a decision has a handful. */
const ENTRIES_MAX = 10_000;
/** An id may be older than the first entry that names it by the time that a question is made in, microseconds. */
const SLACK_US = 60_000_000;
const PHASE_COLUMNS = 9;

/** Prints every entry that belongs to the id, in order. Exit 1 if none does, or the record cannot be read. */
export function commandTrace(command: TraceCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    using reader = openRecordReader(config.state_dir.value);
    const trace = traceOf(reader, command.id);
    if (trace.length === 0) {
      const message = `find ${command.id}: no entry of the record names it as a decision, an approval or an entry`;
      throw new AgentguardError("not_found", message);
    }
    const steps = trace.map((entry) => ({ phase: phaseOf(entry), entry }));
    const out = new LineWriter(io.stdout);
    if (config.json.value) await out.line(JSON.stringify({ id: command.id, steps }));
    else {
      const format = { paint: painter(io), columns: io.columns === 0 ? 0 : Math.max(40, io.columns - PHASE_COLUMNS) };
      for (const { phase, entry } of steps) {
        await out.line(`${format.paint("dim", phase.padEnd(PHASE_COLUMNS))}${formatEntry(entry, format)}`);
      }
      await out.line(conclusionOf(trace));
    }
    await out.flush();
    return EXIT.ok;
  });
}

/** The entries of the id, and of every decision and approval that they name, by number. */
function traceOf(reader: RecordReader, id: string): readonly Entry[] {
  const found = new Map<number, Entry>();
  const seen = new Set<string>();
  const open: string[] = [];
  const take = (entry: Entry): void => {
    if (found.size >= ENTRIES_MAX) return;
    found.set(entry.seq, entry);
    open.push(...idsOf(entry).filter((each) => !seen.has(each)));
  };
  const first = isUlid(id) ? reader.get(id) : reader.at(Number(id));
  if (first !== undefined) take(entryOf(first));
  if (isUlid(id)) open.push(id);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    for (const query of queriesFor(next)) for (const stored of reader.query(query)) take(entryOf(stored));
  }
  return [...found.values()].sort((a, b) => a.seq - b.seq);
}

/** Decisions are in the index; approvals and what operators said of them are few, and looked through. */
function queriesFor(id: string): readonly EntryQuery[] {
  // Source: github.com/ulid/spec, the first 48 bits are milliseconds of the epoch.
  const made_us = ulidBytes(id).subarray(0, 6).reduce((ms, byte) => ms * 256 + byte, 0) * 1_000;
  const since_us = Math.max(0, made_us - SLACK_US);
  const limit = ENTRIES_MAX;
  return [
    { decision_id: id, limit },
    { kind: "approval", text: id, since_us, limit },
    { kind: "operator", text: id, since_us, limit },
  ];
}

/** Decisions and approvals that an entry names. */
function idsOf({ action, decision, outcome }: Entry): readonly string[] {
  const named = action !== undefined && "approval_id" in action ? [action.approval_id, action.decision_id] : [];
  const target = action?.type === "operator.approve" || action?.type === "operator.deny" ? [action.target] : [];
  return [decision?.decision_id, outcome?.decision_id, outcome?.approval_id, ...named, ...target].filter(isId);
}

function isId(id: string | undefined): id is string {
  return id !== undefined && isUlid(id);
}

function phaseOf({ kind, outcome }: Entry): Phase {
  if (kind === "decision") return "decision";
  if (kind === "approval" || kind === "operator") return "approval";
  return outcome === undefined ? "effect" : "outcome";
}

/** What came of it, as a sentence. */
function conclusionOf(trace: readonly Entry[]): string {
  const outcomes = trace.flatMap(({ outcome }) => outcome === undefined ? [] : [outcome]);
  const labels = [...new Set(outcomes.map(({ label, mechanism }) => `${label} (${mechanism})`))];
  const proof = `agentguard audit prove ${trace.at(-1)?.entry_id ?? ""} proves the last of these entries`;
  if (labels.length === 0) return `no outcome is recorded; ${proof}`;
  return `outcome: ${labels.join(", ")}; ${proof}`;
}
