/** `agentguard sessions list|show|kill|pause|resume` */
import type { SessionView } from "../publish/mod.ts";
import { assertNever } from "../core/mod.ts";
import { ControlClient } from "./client.ts";
import { EXIT, type SessionCommand, type SessionsListCommand } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { formatSession, formatSessionList } from "./format_status.ts";

/** Lists, shows or commands sessions of the running guard. Exit 1 if none answers or it refuses. */
export function commandSessions(command: SessionsListCommand | SessionCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const client = new ControlClient(config.runtime_dir.value);
    const out = new LineWriter(io.stdout);
    if (command.kind === "sessions.list") {
      const sessions = await client.sessions();
      const lines = config.json.value ? [JSON.stringify({ sessions })] : formatSessionList(sessions);
      for (const line of lines) await out.line(line);
    } else {
      const session = await askSession(client, command);
      for (const line of config.json.value ? [JSON.stringify(session)] : formatSession(session)) await out.line(line);
    }
    await out.flush();
    return EXIT.ok;
  });
}

function askSession(client: ControlClient, command: SessionCommand): Promise<SessionView> {
  switch (command.kind) {
    case "sessions.show":
      return client.session(command.session_id);
    case "sessions.kill":
      return client.command("kill", command.session_id);
    case "sessions.pause":
      return client.command("pause", command.session_id);
    case "sessions.resume":
      return client.command("resume", command.session_id);
    default:
      return assertNever(command.kind);
  }
}
