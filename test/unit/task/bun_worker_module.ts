/** The module of a real worker, for tests: each job names what the worker does. */
import { AgentguardError } from "../../../lib/core/mod.ts";
import { onAbort, serveJobs } from "../../../lib/task/mod.ts";

declare const self: Worker;

function spin(): never {
  while (true);
}

function work(job: Uint8Array | string, signal: AbortSignal): Promise<Uint8Array | string> {
  if (typeof job !== "string") return Promise.resolve(job.map((byte) => byte + 1));
  const { promise, reject } = Promise.withResolvers<string>();
  switch (job) {
    case "wait":
      onAbort(signal, () => reject(new Error("told to stop")));
      return promise;
    case "spin":
      return spin();
    case "refuse":
      throw new AgentguardError("permission", "open door: it is locked");
    case "defect":
      throw new TypeError("x is not a function");
    case "uncaught":
      setTimeout(() => {
        throw new RangeError("nobody caught this");
      });
      return promise;
    case "exit":
      return process.exit(7);
    case "babble":
      self.postMessage("not an answer");
      return promise;
    default:
      return Promise.resolve(job.toUpperCase());
  }
}

serveJobs<Uint8Array | string, Uint8Array | string>(self, {
  parse: (job) => {
    if (typeof job === "string" || job instanceof Uint8Array) return job;
    throw new AgentguardError("config", "read job: it is neither text nor bytes");
  },
  work,
  transfer: (result) => typeof result !== "string" && result.buffer instanceof ArrayBuffer ? [result.buffer] : [],
});
