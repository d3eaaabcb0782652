/** Entry of the recorder thread: the one writer of the record, fed by ports. */
import { AgentguardError, errorMessage, IdGenerator, type Log, silentLog, systemClock } from "../core/mod.ts";
import {
  createRedactor,
  messagePort,
  openRecordWriter,
  openRedactKey,
  type RecordWriter,
  type ServedProducer,
  serveRecorder,
} from "../record/mod.ts";
import { systemTimers } from "../task/mod.ts";
import type { RecorderReport, RecorderRequest, RecorderSettings } from "./recorder_protocol.ts";

declare const self: Worker;

const post = (report: RecorderReport): void => self.postMessage(report);
const log: Log = {
  ...silentLog,
  warn: (message) => post({ op: "log", level: "warn", message }),
  error: (message) => post({ op: "log", level: "error", message }),
};

/** The writer and who feeds it; set once by `open`. */
const recorder: { writer: RecordWriter | undefined; readonly producers: ServedProducer[] } = {
  writer: undefined,
  producers: [],
};

function open(directory: string, boot_id: string, settings: RecorderSettings): void {
  try {
    const redact = createRedactor({ key: openRedactKey(directory) });
    recorder.writer = openRecordWriter(directory, {
      ...settings,
      redact,
      boot_id,
      clock: systemClock,
      ids: new IdGenerator(systemClock),
      log,
      timers: systemTimers,
      onState: (state) => {
        post({ op: "state", state });
        for (const producer of recorder.producers) producer.tellState(state);
      },
    });
    post({ op: "opened" });
  } catch (error) {
    const code = error instanceof AgentguardError ? error.code : "io";
    post({ op: "failed", code, message: errorMessage(error) });
  }
}

async function close(): Promise<void> {
  try {
    await recorder.writer?.close();
    post({ op: "closed" });
  } catch (error) {
    post({ op: "failed", code: error instanceof AgentguardError ? error.code : "io", message: errorMessage(error) });
  }
}

self.onmessage = (event: MessageEvent<RecorderRequest>): void => {
  const request = event.data;
  if (request.op === "open") open(request.directory, request.boot_id, request.settings);
  else if (request.op === "close") void close();
  else if (recorder.writer !== undefined) {
    recorder.producers.push(serveRecorder(messagePort(request.port), recorder.writer, { log }));
  }
};
