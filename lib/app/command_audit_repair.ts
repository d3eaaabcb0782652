/** `agentguard audit repair`: a record that does not verify goes on, and says what is missing. */
import { readFileSync } from "node:fs";
import { IdGenerator } from "../core/mod.ts";
import { repairRecord, type RepairReport } from "../record/mod.ts";
import { EXIT } from "./command.ts";
import type { AuditRepairCommand } from "./command_audit_types.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf } from "./command_io.ts";
import { escapeMessage, escapeText } from "./format_text.ts";

/** Repairs. Exit 1 if it cannot be done. */
export function commandAuditRepair(command: AuditRepairCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const boot_id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const report = repairRecord(config.state_dir.value, { boot_id, clock: io.clock, ids: new IdGenerator(io.clock) });
    await io.stdout.write(config.json.value ? `${JSON.stringify(report)}\n` : said(report));
    return EXIT.ok;
  });
}

function said({ fault, kept_as, continued, size, lost, unsigned, origin }: RepairReport): string {
  if (fault === undefined) return `nothing to repair: ${size} entries verify\n`;
  const lines = [
    `found: ${escapeMessage(fault)}`,
    `kept: ${escapeText(kept_as ?? "")}`,
    `lost: ${lost} entries; left out because nobody signed them: ${unsigned}`,
    continued
      ? `the record goes on with entry ${size + 1}`
      : `the record could not go on: a new one, ${
        escapeText(origin)
      }, begins; where the policy sets [record] origin, ` +
        "set it to that",
  ];
  return `${lines.join("\n")}\n`;
}
