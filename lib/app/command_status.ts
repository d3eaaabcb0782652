/** `agentguard status` */
import { ControlClient } from "./client.ts";
import { EXIT, type StatusCommand } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { formatStatus } from "./format_status.ts";
import { painter } from "./format_text.ts";

/** Shows how the running guard is. Exit 1 if none answers. */
export function commandStatus(command: StatusCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const status = await new ControlClient(config.runtime_dir.value).status();
    const out = new LineWriter(io.stdout);
    if (config.json.value) await out.line(JSON.stringify(status));
    else {
      const format = { paint: painter(io), show_config: command.show_config };
      for (const line of formatStatus(status, format)) await out.line(line);
    }
    await out.flush();
    return EXIT.ok;
  });
}
