/** The routes of the control API. */
import { Hono } from "hono";
import { type AgentguardError, errorMessage, type Log, type Result } from "../core/mod.ts";
import { addApprovalRoutes, APPROVAL_PATHS } from "./approval_routes.ts";
import { eventStream } from "./event_stream.ts";
import { isSessionId, parseEventFilter } from "./filter.ts";
import { CONTROL_LIMITS } from "./limits.ts";
import { addRecordRoutes, RECORD_PATHS } from "./record_routes.ts";
import { answer, type ApiContext, type ApiEnv, fail, withoutQuery } from "./route_answers.ts";
import type { ControlPorts, SessionPort, SessionView } from "./types.ts";

/** What the routes need beside the ports. */
export interface RouteOptions {
  readonly log: Log;
  /** Ends every stream. */
  readonly signal: AbortSignal;
}

/** Paths that take a body, beside those of the record. */
const TAKES_BODY = /^\/v1\/approvals\/[^/]+\/(?:approve|deny|callback)$/;

/** Builds the application; `fetch` of the result answers requests. */
export function controlRoutes(ports: ControlPorts, options: RouteOptions): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  let streams = 0;
  app.use(checkBounds);
  app.get("/v1/status", (context) => withoutQuery(context) ?? context.json(ports.status.status()));
  app.get("/v1/health/ready", (context) => {
    const ready = ports.status.status().ready;
    return withoutQuery(context) ?? context.json({ ready }, ready ? 200 : 503);
  });
  app.get("/v1/sessions", (context) => withoutQuery(context) ?? context.json({ sessions: ports.sessions.list() }));
  app.get("/v1/sessions/:id", (context) => withoutQuery(context) ?? showSession(context, ports.sessions));
  for (const verb of ["kill", "pause", "resume"] as const) {
    app.post(`/v1/sessions/:id/${verb}`, (context) => commandSession(context, ports.sessions, { verb }));
  }
  app.post("/v1/policy/reload", async (context) => {
    return withoutQuery(context) ?? answer(context, await ports.policy.reload(await context.env.peer.identify()));
  });
  app.get("/v1/events", async (context) => {
    // The record tells what other sessions do, and what is asked about: not for agents to read.
    const { inside } = await context.env.peer.identify();
    if (inside !== undefined) return fail(context, 403, { code: "permission", message: inside });
    const filter = parseEventFilter(new URL(context.req.url).searchParams);
    if (!filter.ok) return fail(context, 400, { code: "usage", message: filter.error });
    if (streams >= CONTROL_LIMITS.streams_max) {
      const message = `close another event stream first: ${CONTROL_LIMITS.streams_max} are open`;
      return fail(context, 503, { code: "busy", message });
    }
    streams++;
    const onEnd = (): void => {
      streams--;
    };
    const body = eventStream(ports.events, filter.value, { log: options.log, onEnd, signal: options.signal });
    return context.body(body, 200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  });
  addApprovalRoutes(app, ports.approvals, options);
  addRecordRoutes(app, ports.record);
  refuseOtherMethods(app);
  app.notFound((context) =>
    fail(context, 404, { code: "not_found", message: "use a path of the API, such as /v1/status" })
  );
  app.onError((thrown, context) => {
    options.log.error("answer control request", { path: context.req.path.slice(0, 256), error: errorMessage(thrown) });
    return fail(context, 500, { code: "invariant", message: "look into the guard's log: the request failed inside" });
  });
  return app;
}

/** Routes that exist with another method answer 405 with the right one. Must come after the real routes. */
function refuseOtherMethods(app: Hono<ApiEnv>): void {
  const reads = [
    "/v1/status",
    "/v1/health/ready",
    "/v1/sessions",
    "/v1/sessions/:id",
    "/v1/events",
    ...APPROVAL_PATHS.reads,
  ];
  const sessions = ["kill", "pause", "resume"].map((verb) => `/v1/sessions/:id/${verb}`);
  const commands = [...sessions, "/v1/policy/reload", ...APPROVAL_PATHS.commands, ...RECORD_PATHS];
  for (const [method, paths] of [["GET", reads], ["POST", commands]] as const) {
    for (const path of paths) {
      app.all(path, (context) => {
        context.header("allow", method);
        return fail(context, 405, { code: "usage", message: `use ${method} for this path` });
      });
    }
  }
}

async function checkBounds(context: ApiContext, next: () => Promise<void>): Promise<Response | undefined> {
  if (context.req.url.length > CONTROL_LIMITS.url_chars_max) {
    const message = `use a path and query of at most ${CONTROL_LIMITS.url_chars_max} characters`;
    return fail(context, 414, { code: "usage", message });
  }
  const { pathname } = new URL(context.req.url);
  // The listener has bounded the body already.
  if (!TAKES_BODY.test(pathname) && !RECORD_PATHS.includes(pathname) && (await context.req.text()).length > 0) {
    return fail(context, 400, { code: "usage", message: "send no body: this path takes none" });
  }
  await next();
  return undefined;
}

function showSession(context: ApiContext, sessions: SessionPort): Response {
  const id = context.req.param("id") ?? "";
  const session = isSessionId(id) ? sessions.show(id) : undefined;
  return session === undefined ? unknownSession(context) : context.json(session);
}

async function commandSession(
  context: ApiContext,
  sessions: SessionPort,
  options: { readonly verb: "kill" | "pause" | "resume" },
): Promise<Response> {
  const refused = withoutQuery(context);
  if (refused !== undefined) return refused;
  const id = context.req.param("id") ?? "";
  if (!isSessionId(id)) return unknownSession(context);
  const result: Result<SessionView, AgentguardError> = await sessions[options.verb](
    id,
    await context.env.peer.identify(),
  );
  return answer(context, result);
}

function unknownSession(context: ApiContext): Response {
  return fail(context, 404, { code: "not_found", message: "use the id of a session that GET /v1/sessions lists" });
}
