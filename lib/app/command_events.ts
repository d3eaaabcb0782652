/** `agentguard events` */
import { ControlClient } from "./client.ts";
import { type EventsCommand, EXIT } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, failWith, LineWriter } from "./command_io.ts";
import { formatEntry } from "./format_entry.ts";
import { painter } from "./format_text.ts";

/** Prints entries until the stream ends. Exit 1 if no guard answers, or if it ends while it is followed. */
export function commandEvents(command: EventsCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const format = { paint: painter(io), columns: io.columns };
    const out = new LineWriter(io.stdout);
    for await (const item of new ControlClient(config.runtime_dir.value).events(command)) {
      if ("lagged" in item) {
        // Zero says only that the subscription stands.
        if (item.lagged === 0) continue;
        const notice = `${item.lagged} entries were not shown: this reader is too slow; the record has them`;
        await out.line(config.json.value ? JSON.stringify(item) : format.paint("yellow", notice));
      } else await out.line(config.json.value ? JSON.stringify(item) : formatEntry(item, format));
      // Somebody may be watching: nothing is kept back while the stream is quiet.
      await out.flush();
    }
    return command.follow ? await failWith(io, "start the guard again: it ended the stream", EXIT.failed) : EXIT.ok;
  });
}
