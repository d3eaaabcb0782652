/** The routes of the control API. */
import { type Context, Hono } from "hono";
import { type AgentguardError, type ErrorCode, errorMessage, type Log, type Result } from "../core/mod.ts";
import { eventStream } from "./event_stream.ts";
import { isSessionId, parseEventFilter } from "./filter.ts";
import { CONTROL_LIMITS } from "./limits.ts";
import type { ApiErrorBody, ControlPorts, SessionPort, SessionView } from "./types.ts";

/** What the routes need beside the ports. */
export interface RouteOptions {
  readonly log: Log;
  /** Ends every stream. */
  readonly signal: AbortSignal;
}

type Status = 400 | 403 | 404 | 405 | 409 | 413 | 414 | 500 | 501 | 503 | 504;

/** Builds the application; `fetch` of the result answers requests. */
export function controlRoutes(ports: ControlPorts, options: RouteOptions): Hono {
  const app = new Hono();
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
    return withoutQuery(context) ?? answer(context, await ports.policy.reload());
  });
  app.get("/v1/events", (context) => {
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
function refuseOtherMethods(app: Hono): void {
  const reads = ["/v1/status", "/v1/health/ready", "/v1/sessions", "/v1/sessions/:id", "/v1/events"];
  const commands = ["/v1/sessions/:id/kill", "/v1/sessions/:id/pause", "/v1/sessions/:id/resume", "/v1/policy/reload"];
  for (const [method, paths] of [["GET", reads], ["POST", commands]] as const) {
    for (const path of paths) {
      app.all(path, (context) => {
        context.header("allow", method);
        return fail(context, 405, { code: "usage", message: `use ${method} for this path` });
      });
    }
  }
}

async function checkBounds(context: Context, next: () => Promise<void>): Promise<Response | undefined> {
  if (context.req.url.length > CONTROL_LIMITS.url_chars_max) {
    const message = `use a path and query of at most ${CONTROL_LIMITS.url_chars_max} characters`;
    return fail(context, 414, { code: "usage", message });
  }
  const body = await context.req.text();
  if (body.length > CONTROL_LIMITS.body_bytes_max) {
    return fail(context, 413, { code: "usage", message: "send no body: the API takes none" });
  }
  // A client that keeps its connection would make the guard wait for it at the end.
  context.header("connection", "close");
  if (body.length > 0) return fail(context, 400, { code: "usage", message: "send no body: the API takes none" });
  await next();
  return undefined;
}

function withoutQuery(context: Context): Response | undefined {
  for (const name of Object.keys(context.req.query())) {
    const message = `remove the parameter ${JSON.stringify(name.slice(0, 64))}: this path takes none`;
    return fail(context, 400, { code: "usage", message });
  }
  return undefined;
}

function showSession(context: Context, sessions: SessionPort): Response {
  const id = context.req.param("id") ?? "";
  const session = isSessionId(id) ? sessions.show(id) : undefined;
  return session === undefined ? unknownSession(context) : context.json(session);
}

async function commandSession(
  context: Context,
  sessions: SessionPort,
  options: { readonly verb: "kill" | "pause" | "resume" },
): Promise<Response> {
  const refused = withoutQuery(context);
  if (refused !== undefined) return refused;
  const id = context.req.param("id") ?? "";
  if (!isSessionId(id)) return unknownSession(context);
  const result: Result<SessionView, AgentguardError> = await sessions[options.verb](id);
  return answer(context, result);
}

function unknownSession(context: Context): Response {
  return fail(context, 404, { code: "not_found", message: "use the id of a session that GET /v1/sessions lists" });
}

function answer<T extends object>(context: Context, result: Result<T, AgentguardError>): Response {
  if (result.ok) return context.json(result.value);
  return fail(context, statusOf(result.error.code), { code: result.error.code, message: result.error.message });
}

function statusOf(code: ErrorCode): Status {
  const statuses: Partial<Record<ErrorCode, Status>> = {
    not_found: 404,
    usage: 400,
    config: 400,
    policy: 400,
    permission: 403,
    busy: 409,
    unsupported: 501,
    timeout: 504,
    closed: 503,
  };
  return statuses[code] ?? 500;
}

function fail(context: Context, status: Status, error: ApiErrorBody["error"]): Response {
  const body: ApiErrorBody = { error };
  return context.json(body, status);
}
