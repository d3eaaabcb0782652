/** Routes of questions and grants, on the control socket and on the port of approvers. */
import type { Hono } from "hono";
import { type ApprovalEvent, errorMessage, isUlid, type Log } from "../core/mod.ts";
import { parseBallot } from "./approval_body.ts";
import { ClientQueue } from "./client_queue.ts";
import { CONTROL_LIMITS } from "./limits.ts";
import { answer, type ApiContext, type ApiEnv, fail, withoutQuery } from "./route_answers.ts";
import type { ApprovalDesk } from "./types.ts";

/** What the routes need beside the desk. */
export interface ApprovalRouteOptions {
  readonly log: Log;
  /** Ends every stream. */
  readonly signal: AbortSignal;
}

/** Paths that are read, and paths that command, for the answer to a wrong method. */
export const APPROVAL_PATHS: { readonly reads: readonly string[]; readonly commands: readonly string[] } = {
  reads: ["/v1/approvals", "/v1/approvals/stream", "/v1/approvals/:id", "/v1/grants"],
  commands: [
    "/v1/approvals/:id/approve",
    "/v1/approvals/:id/deny",
    "/v1/approvals/:id/callback",
    "/v1/grants/:id/revoke",
  ],
};

/** Adds the routes. What agents ask is not for agents to read: a process of a session gets nothing. */
export function addApprovalRoutes(app: Hono<ApiEnv>, desk: ApprovalDesk, options: ApprovalRouteOptions): void {
  let streams = 0;
  app.get("/v1/approvals", (context) => forOutsiders(context, () => context.json({ approvals: desk.list() })));
  app.get("/v1/approvals/stream", (context) =>
    forOutsiders(context, () => {
      if (streams >= CONTROL_LIMITS.streams_max) {
        return fail(context, 503, { code: "busy", message: "close another stream of approvals first" });
      }
      streams++;
      const body = approvalStream(desk, options, () => streams--);
      return context.body(body, 200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
    }));
  app.get("/v1/approvals/:id", (context) =>
    forOutsiders(context, () => {
      const view = desk.show(idOf(context));
      return view === undefined ? unknown(context) : context.json(view);
    }));
  for (const [path, verdict] of [["approve", "allow"], ["deny", "deny"]] as const) {
    app.post(`/v1/approvals/:id/${path}`, async (context) => {
      const refused = withoutQuery(context);
      if (refused !== undefined) return refused;
      const ballot = parseBallot(verdict, await context.req.text());
      if (!ballot.ok) return fail(context, 400, { code: "usage", message: ballot.error });
      // Whoever may not vote is refused there, so that the attempt is recorded.
      return answer(context, await desk.vote(idOf(context), ballot.value, await context.env.peer.identify()));
    });
  }
  app.post("/v1/approvals/:id/callback", async (context) => {
    const refused = withoutQuery(context);
    if (refused !== undefined) return refused;
    const header = (name: string): string | null => context.req.header(name) ?? null;
    return answer(context, await desk.callback(idOf(context), { header, body: await context.req.text() }));
  });
  app.get("/v1/grants", (context) => forOutsiders(context, () => context.json({ grants: desk.grants() })));
  app.post("/v1/grants/:id/revoke", async (context) => {
    return withoutQuery(context) ?? answer(context, desk.revoke(idOf(context), await context.env.peer.identify()));
  });
}

async function forOutsiders(context: ApiContext, work: () => Response): Promise<Response> {
  const refused = withoutQuery(context);
  if (refused !== undefined) return refused;
  const { inside } = await context.env.peer.identify();
  return inside === undefined ? work() : fail(context, 403, { code: "permission", message: inside });
}

function idOf(context: ApiContext): string {
  const id = (context.req.param("id") ?? "").toUpperCase();
  return isUlid(id) ? id : "";
}

function unknown(context: ApiContext): Response {
  return fail(context, 404, { code: "not_found", message: "use the id of a question that GET /v1/approvals lists" });
}

/**
 * Newline-delimited JSON: first `{"lagged":0}`, then what waits now and everything from then on, each as an
 * `ApprovalEvent`; `{"lagged":n}` where a slow client missed some.
 */
function approvalStream(
  desk: ApprovalDesk,
  options: ApprovalRouteOptions,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const { queue_lines_max: lines_max, queue_chars_max: chars_max } = CONTROL_LIMITS;
  const queue = new ClientQueue({ lines_max, chars_max });
  const encoder = new TextEncoder();
  const events = desk.watch();
  const end = (): void => {
    events.close();
    queue.end();
  };
  options.signal.addEventListener("abort", end, { once: true });
  queue.lag(0);
  for (const approval of desk.list()) queue.push(lineOf({ event: "asked", approval }));
  const pump = async (): Promise<void> => {
    try {
      for await (const item of events) {
        if (item.kind === "lagged") queue.lag(item.missed);
        else queue.push(lineOf(item.value));
      }
    } catch (thrown) {
      options.log.error("end stream of approvals", { error: errorMessage(thrown) });
    } finally {
      options.signal.removeEventListener("abort", end);
      queue.end();
      onEnd();
    }
  };
  // Settles on its own: it ends with the subscription.
  void pump();
  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      const text = await queue.take(CONTROL_LIMITS.chunk_chars_max);
      if (text === undefined) controller.close();
      else controller.enqueue(encoder.encode(text));
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

function lineOf(event: ApprovalEvent): string {
  return `${JSON.stringify(event)}\n`;
}
