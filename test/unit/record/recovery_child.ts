/** Appends until it is killed, and prints the head after each flush: everything up to that number is acknowledged. */
import { IdGenerator, silentLog, systemClock } from "../../../lib/core/mod.ts";
import { openRecordWriter } from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { observation } from "./support.ts";

const directory = process.argv[2];
if (directory === undefined) throw new Error("usage: recovery_child.ts DIRECTORY");
const writer = openRecordWriter(directory, {
  boot_id: "child",
  clock: systemClock,
  ids: new IdGenerator(systemClock),
  log: silentLog,
  timers: systemTimers,
});
for (let n = writer.head().seq + 1;;) {
  for (const end = n + 1 + (n % 200); n < end; n++) writer.append(observation(n));
  await writer.flush();
  process.stdout.write(`${writer.head().seq}\n`);
}
