/** Entry of the recorder thread. */
import { AgentguardError, type ErrorCode, errorMessage, type Log, type LogFields, silentLog } from "../core/mod.ts";
import { RecorderHost } from "./recorder_host.ts";
import type { RecorderReport, RecorderRequest } from "./recorder_protocol.ts";
import { compileLater } from "./runtime_threads.ts";

declare const self: Worker;

compileLater();

const post = (report: RecorderReport): void => self.postMessage(report);
const say = (level: "info" | "warn" | "error") => (message: string, fields: LogFields = {}): void => {
  const details = Object.entries(fields).map(([name, value]) => `${name} ${String(value)}`).join(", ");
  post({ op: "log", level, message: details === "" ? message : `${message}: ${details}` });
};
const log: Log = { ...silentLog, info: say("info"), warn: say("warn"), error: say("error") };

/** Set once by `open`. */
const recorder: { host: RecorderHost | undefined } = { host: undefined };

async function open(request: Extract<RecorderRequest, { op: "open" }>): Promise<void> {
  recorder.host = await RecorderHost.open({
    ...request,
    log,
    onState: (state) => post({ op: "state", state }),
    onMetrics: (metrics) => post({ op: "metrics", metrics }),
  });
  post({ op: "opened" });
}

async function keep({ id, request }: Extract<RecorderRequest, { op: "keep" }>): Promise<void> {
  try {
    if (recorder.host === undefined) throw new AgentguardError("closed", "keep the record: it is not open");
    post({ op: "kept", id, report: await recorder.host.keep(request) });
  } catch (error) {
    post({ op: "keep_failed", id, ...failure(error) });
  }
}

async function configure({ settings }: Extract<RecorderRequest, { op: "configure" }>): Promise<void> {
  try {
    await recorder.host?.configure(settings);
    post({ op: "configured" });
  } catch (error) {
    post({ op: "configure_failed", ...failure(error) });
  }
}

async function carryOut(request: RecorderRequest): Promise<void> {
  switch (request.op) {
    case "open":
      return await open(request);
    case "serve":
      return recorder.host?.serve(request.port);
    case "keep":
      return await keep(request);
    case "configure":
      return await configure(request);
    case "reopen":
      return await recorder.host?.reopen();
    default:
      await recorder.host?.close();
      post({ op: "closed" });
  }
}

self.onmessage = (event: MessageEvent<RecorderRequest>): void => {
  carryOut(event.data).catch((error: unknown) => {
    post({ op: "failed", ...failure(error) });
  });
};

function failure(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  return { code: error instanceof AgentguardError ? error.code : "io", message: errorMessage(error) };
}
