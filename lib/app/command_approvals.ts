/** `agentguard approvals list|show|approve|deny|watch` and `approvals grants list|revoke` */
import { accessSync, constants } from "node:fs";
import { type Config, SYSTEM_RUNTIME_DIR } from "../config/mod.ts";
import { assertNever } from "../core/mod.ts";
import { approverSocketPath, controlSocketPath } from "../publish/mod.ts";
import { ApprovalClient } from "./approval_client.ts";
import { ControlClient } from "./client.ts";
import { EXIT } from "./command.ts";
import type { ApprovalsCommand } from "./command_approvals_types.ts";
import { watchApprovals } from "./command_approvals_watch.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { formatAnswer, formatApproval, formatApprovalList, formatGrantList } from "./format_approval.ts";
import { escapeText, painter } from "./format_text.ts";

/** What a person types, and whether there is one. */
export interface ApprovalsInput {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
}

/** Carries out one command. Exit 1 if no guard answers or it refuses. */
export function commandApprovals(command: ApprovalsCommand, io: CommandIo, parts: ApprovalsInput): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const client = new ApprovalClient(new ControlClient(config.runtime_dir.value, approvalSocket(config)));
    const json = config.json.value;
    if (command.kind === "approvals.watch") return await watchApprovals(client, io, { ...parts, json });
    const out = new LineWriter(io.stdout);
    for (const line of await linesOf(command, client, { json, io })) await out.line(line);
    await out.flush();
    return EXIT.ok;
  });
}

/**
 * The socket to ask on: the control socket, or, for whoever may not open that one, the socket of approvers beside it or
 * beside the one of the system's guard.
 */
function approvalSocket({ runtime_dir }: Config): string {
  const control = controlSocketPath(runtime_dir.value);
  const others = runtime_dir.origin === "default" ? [runtime_dir.value, SYSTEM_RUNTIME_DIR] : [runtime_dir.value];
  return [control, ...others.map(approverSocketPath)].find(canOpen) ?? control;
}

function canOpen(socket: string): boolean {
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false; // it is not there, or not for us: which of both is told by the connection that is tried then
  }
}

async function linesOf(
  command: Exclude<ApprovalsCommand, { readonly kind: "approvals.watch" }>,
  client: ApprovalClient,
  { json, io }: { readonly json: boolean; readonly io: CommandIo },
): Promise<readonly string[]> {
  const paint = painter(io);
  const format = { paint, columns: io.columns };
  switch (command.kind) {
    case "approvals.list": {
      const views = await client.list();
      return json ? [JSON.stringify(views)] : formatApprovalList(views, format);
    }
    case "approvals.show": {
      const view = await client.show(command.id);
      return json ? [JSON.stringify(view)] : formatApproval(view, format);
    }
    case "approvals.vote": {
      const view = await client.vote(command.id, command.ballot);
      return json ? [JSON.stringify(view)] : [formatAnswer(view, paint)];
    }
    case "approvals.grants.list": {
      const grants = await client.grants();
      return json ? [JSON.stringify(grants)] : formatGrantList(grants, format);
    }
    case "approvals.grants.revoke": {
      const grant = await client.revoke(command.id);
      return json ? [JSON.stringify(grant)] : [`${grant.grant_id} revoked: ${escapeText(grant.covers)}`];
    }
    default:
      return assertNever(command);
  }
}
