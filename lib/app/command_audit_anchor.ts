/** `agentguard audit anchor`: the newest checkpoint goes to the second places of the policy. */
import { AgentguardError, silentLog } from "../core/mod.ts";
import { formatDiagnostic } from "../decide/mod.ts";
import { Anchors, localWitnessKey, makeAnchor, openRecordReader } from "../record/mod.ts";
import { systemTimers } from "../task/mod.ts";
import { EXIT } from "./command.ts";
import type { AuditAnchorCommand } from "./command_audit_types.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { escapeMessage, escapeText } from "./format_text.ts";
import { loadPolicyFiles } from "./policy_files.ts";

/** Anchors now, or prints the witness's key. Exit 1 if one place does not have it. */
export function commandAuditAnchor(command: AuditAnchorCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const directory = config.state_dir.value;
    if (command.show_key) {
      const verifier_key = localWitnessKey(directory);
      await io.stdout.write(`${config.json.value ? JSON.stringify({ verifier_key }) : verifier_key}\n`);
      return EXIT.ok;
    }
    const places = anchorsOf(command.policies).map(makeAnchor);
    using reader = openRecordReader(directory);
    const state = reader.state();
    if (state === undefined) {
      throw new AgentguardError("not_found", `read ${reader.path}: nothing was signed in it yet`);
    }
    using anchors = new Anchors(reader, places, {
      timers: systemTimers,
      log: silentLog,
      every_ms: Number.POSITIVE_INFINITY,
      record: () => {},
    });
    await anchors.anchorNow();
    const status = anchors.status();
    const out = new LineWriter(io.stdout);
    if (config.json.value) await out.line(JSON.stringify({ anchors: status }));
    else {
      for (const { name, size, error } of status) {
        const said = error === undefined ? `ok: a checkpoint of ${size} entries` : `FAILED: ${escapeMessage(error)}`;
        await out.line(`${escapeText(name)}: ${said}`);
      }
    }
    await out.flush();
    return status.every(({ error }) => error === undefined) ? EXIT.ok : EXIT.failed;
  });
}

function anchorsOf(policies: readonly string[]): Parameters<typeof makeAnchor>[0][] {
  if (policies.length === 0) {
    throw new AgentguardError("usage", "give --policy FILE: its [record] anchor names the places");
  }
  const loaded = loadPolicyFiles(policies, { generation: 1 });
  if (!loaded.ok) throw new AgentguardError("policy", loaded.error.map(formatDiagnostic).join("; "));
  const { anchors } = loaded.value.record;
  if (anchors.length > 0) return [...anchors];
  throw new AgentguardError("usage", "the policy names no anchor: add [[record.anchor]] with file, witness or nats");
}
