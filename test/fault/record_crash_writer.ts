/**
 * Appends in groups until it is killed, and prints the head after each flush: everything up to that is acknowledged.
 */
import { IdGenerator, silentLog, systemClock } from "../../lib/core/mod.ts";
import { openRecordWriter } from "../../lib/record/mod.ts";
import { systemTimers } from "../../lib/task/mod.ts";
import { decision, observation } from "../unit/record/support.ts";

const directory = process.argv[2];
if (directory === undefined) throw new Error("usage: record_crash_writer.ts DIRECTORY");
const writer = openRecordWriter(directory, {
  boot_id: "child",
  clock: systemClock,
  ids: new IdGenerator(systemClock),
  log: silentLog,
  timers: systemTimers,
});
for (let group = 0;; group++) {
  // From single entries to more than a block and more than a commit takes.
  const count = group % 7 === 0 ? 1_100 : 1 + ((group * 37) % 300);
  for (let n = 0; n < count; n++) writer.append(n % 5 === 0 ? decision(n) : observation(n));
  await writer.flush();
  process.stdout.write(`${writer.head().seq}\n`);
}
