/** What approvers reach who reach nothing else: the routes of questions and grants. */
import { Hono } from "hono";
import { errorMessage } from "../core/mod.ts";
import { addApprovalRoutes, type ApprovalRouteOptions } from "./approval_routes.ts";
import { type ApiContext, type ApiEnv, fail } from "./route_answers.ts";
import type { ApprovalDesk } from "./types.ts";

/** What the routes need beside the desk. */
export interface ApproverRouteOptions extends ApprovalRouteOptions {
  /** Refuses a request before anything is looked at; `undefined` lets it through. */
  readonly refuse?: (context: ApiContext) => Response | undefined;
}

/** Builds the application; `fetch` of the result answers requests. */
export function approverRoutes(desk: ApprovalDesk, options: ApproverRouteOptions): Hono<ApiEnv> {
  const { log, signal, refuse } = options;
  const app = new Hono<ApiEnv>();
  app.use(async (context, next) => {
    const refused = refuse?.(context);
    if (refused !== undefined) return refused;
    await next();
    return undefined;
  });
  addApprovalRoutes(app, desk, { log, signal });
  app.notFound((context) => {
    const message = "use a path such as /v1/approvals: approvers reach nothing else here";
    return fail(context, 404, { code: "not_found", message });
  });
  app.onError((thrown, context) => {
    log.error("answer a request of an approver", { error: errorMessage(thrown) });
    return fail(context, 500, { code: "invariant", message: "look into the guard's log: the request failed inside" });
  });
  return app;
}
