/** The worker's side of `bunWorkerFactory`. */
import { errorResponse, parseRequest, type WorkerResponse } from "./worker_wire.ts";

/** The part of a worker's global object (`self`) that is used. */
export interface JobPort {
  postMessage(message: unknown, transfer?: Bun.Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<unknown>) => void): void;
}

/** What a worker does. */
export interface JobServer<J, R> {
  /** Checks a job that came in; throwing refuses it. */
  readonly parse: (job: unknown) => J;
  /** Does it. The signal aborts when the pool gives the job up. */
  readonly work: (job: J, signal: AbortSignal) => R | Promise<R>;
  /** What of a result is moved instead of copied. Default nothing. */
  readonly transfer?: (result: R) => Bun.Transferable[];
}

/** Answers the jobs that a pool sends to this worker, for as long as the worker lives. Call it once, at its start. */
export function serveJobs<J, R>(port: JobPort, server: JobServer<J, R>): void {
  const running = new Map<number, AbortController>();
  const serve = async (id: number, job: unknown): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const value = await server.work(server.parse(job), controller.signal);
      const response: WorkerResponse = { kind: "result", id, value };
      port.postMessage(response, server.transfer?.(value) ?? []);
    } catch (error) {
      port.postMessage(errorResponse(id, error));
    } finally {
      running.delete(id);
    }
  };
  port.addEventListener("message", (event) => {
    const request = parseRequest(event.data);
    // An exception ends the worker, which is what its pool must learn of.
    if (request === undefined) throw new TypeError("read job message: it has not the form of one");
    if (request.kind === "run") void serve(request.id, request.job);
    else running.get(request.id)?.abort();
  });
}
