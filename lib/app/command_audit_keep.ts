/** `agentguard audit prune`, `erase` and `hold`: what goes out of the record, and what stays in it. */
import { readFileSync } from "node:fs";
import {
  AgentguardError,
  assertNever,
  type Clock,
  formatTime,
  type HoldTerms,
  IdGenerator,
  silentLog,
} from "../core/mod.ts";
import {
  createRedactor,
  type Hold,
  Keeper,
  type KeepReport,
  type KeepRequest,
  openRecordReader,
  openRecordWriter,
  openRedactKey,
} from "../record/mod.ts";
import { systemTimers } from "../task/mod.ts";
import { ControlClient } from "./client.ts";
import { EXIT } from "./command.ts";
import type { AuditHoldListCommand, AuditKeepCommand, AuditSubject, TimePoint } from "./command_audit_types.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { escapeText, formatTable, formatWord } from "./format_text.ts";

/** Carries out one of the commands. Exit 1 if it cannot be done. */
export function commandAuditKeep(command: AuditKeepCommand, io: CommandIo): Promise<number> {
  if (command.kind === "audit.hold.list") return listHolds(command, io);
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const request = requestOf(command, io.clock);
    const report = await keepHere(config.state_dir.value, request, io).catch((thrown: unknown) => {
      // A guard writes the record: then it is the one to ask.
      if (!(thrown instanceof AgentguardError) || thrown.code !== "busy") throw thrown;
      return askGuard(config.runtime_dir.value, request, thrown);
    });
    const text = config.json.value ? JSON.stringify(report) : said(command, report);
    await io.stdout.write(`${text}\n`);
    return EXIT.ok;
  });
}

function requestOf(command: Exclude<AuditKeepCommand, AuditHoldListCommand>, clock: Clock): KeepRequest {
  switch (command.kind) {
    case "audit.prune":
      return { op: "prune", ...command.keep, dry_run: command.dry_run };
    case "audit.erase": {
      const { reason, dry_run } = command;
      return { op: "erase", terms: termsOf(command.subject, clock), reason, dry_run };
    }
    case "audit.hold.add": {
      const { name, reason } = command;
      return { op: "hold.add", terms: { name, ...termsOf(command.subject, clock) }, reason };
    }
    case "audit.hold.release":
      return { op: "hold.release", name: command.name, reason: command.reason };
    default:
      return assertNever(command);
  }
}

/** Asks the guard that writes the record; `busy` where that one serves no control socket in this directory. */
async function askGuard(runtime_dir: string, request: KeepRequest, busy: AgentguardError): Promise<KeepReport> {
  try {
    return await new ControlClient(runtime_dir).keep(request);
  } catch (thrown) {
    const unheard = thrown instanceof AgentguardError && thrown.message.includes("no guard answers");
    throw unheard ? busy : thrown;
  }
}

/** Opens the record for writing, which is refused while a guard writes it. */
async function keepHere(directory: string, request: KeepRequest, io: CommandIo): Promise<KeepReport> {
  // Opening for writing would make a record where there is none.
  openRecordReader(directory).close();
  const { clock } = io;
  const parts = { clock, timers: systemTimers, log: silentLog };
  const boot_id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const redact = createRedactor({ key: openRedactKey(directory) });
  await using writer = openRecordWriter(directory, { ...parts, boot_id, ids: new IdGenerator(clock), redact });
  using keeper = new Keeper(writer, {
    ...parts,
    keep: { keep_ms: undefined, max_bytes: undefined, keep_sessions: undefined },
  });
  keeper.start();
  return await keeper.request(request);
}

function said(command: Exclude<AuditKeepCommand, AuditHoldListCommand>, report: KeepReport): string {
  const { entries, bytes, held_back, statements, traces } = report;
  const by = statements.length === 0 ? "" : `, as entry ${statements.join(", ")} says`;
  if (command.kind === "audit.hold.add") return `hold ${escapeText(command.name)} is in force${by}`;
  if (command.kind === "audit.hold.release") return `hold ${escapeText(command.name)} is released${by}`;
  const would = command.dry_run ? "would be " : "";
  const held = held_back === 0 ? "" : `; ${held_back} stay because of a hold`;
  const left = traces ? "; traces are left in the file until nobody reads it: do it again" : "";
  return `${entries} entries ${would}pruned, ${bytes} bytes of text${by}${held}${left}`;
}

function termsOf({ session_id, principal, since, until }: AuditSubject, clock: Clock): Omit<HoldTerms, "name"> {
  const time = (point: TimePoint): string =>
    formatTime(point.kind === "at" ? point.time_us : clock.wallUs() - point.age_us);
  return {
    ...(session_id === undefined ? undefined : { session_id }),
    ...(principal === undefined ? undefined : { principal }),
    ...(since === undefined ? undefined : { since: time(since) }),
    ...(until === undefined ? undefined : { until: time(until) }),
  };
}

function listHolds(command: AuditHoldListCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    using reader = openRecordReader(config.state_dir.value);
    const holds = reader.holds();
    const out = new LineWriter(io.stdout);
    if (config.json.value) await out.line(JSON.stringify({ holds }));
    else if (holds.length === 0) await out.line("no holds");
    else for (const line of formatTable([HEAD, ...holds.map(row)])) await out.line(line);
    await out.flush();
    return EXIT.ok;
  });
}

const HEAD: readonly string[] = ["HOLD", "SINCE ENTRY", "ADDED (UTC)", "SESSION", "PRINCIPAL", "FROM", "UNTIL"];

function row({ name, seq, added, session_id, principal, since, until }: Hold): readonly string[] {
  const shown = [session_id, principal, since, until].map((text) => text === undefined ? "-" : formatWord(text, 40));
  return [name, String(seq), added.slice(0, 19).replace("T", " "), ...shown];
}
