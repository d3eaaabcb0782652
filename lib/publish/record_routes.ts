/** Routes of the record: what is to go or to stay of it, and being a witness for the records of others. */
import type { Hono } from "hono";
import { answer, type ApiContext, type ApiEnv, fail, withoutQuery } from "./route_answers.ts";
import type { RecordPort } from "./types.ts";

/** Paths that command, for the answer to a wrong method; each takes a body. */
export const RECORD_PATHS: readonly string[] = ["/v1/record/keep", "/v1/witness/add-checkpoint"];

/** Adds the routes. A process of a session gets nothing: it could take out what is recorded of it. */
export function addRecordRoutes(app: Hono<ApiEnv>, record: RecordPort): void {
  app.post("/v1/record/keep", async (context) => {
    const refused = withoutQuery(context) ?? await insider(context);
    if (refused !== undefined) return refused;
    const request = parseJson(await context.req.text());
    if (request === undefined) return fail(context, 400, { code: "usage", message: "send one JSON object" });
    return answer(context, await record.keep(request, await context.env.peer.identify()));
  });
  app.post("/v1/witness/add-checkpoint", async (context) => {
    const refused = withoutQuery(context) ?? await insider(context);
    if (refused !== undefined) return refused;
    const { status, type, body } = record.addCheckpoint(await context.req.text());
    return context.body(body, status, { "content-type": type });
  });
}

async function insider(context: ApiContext): Promise<Response | undefined> {
  const { inside } = await context.env.peer.identify();
  return inside === undefined ? undefined : fail(context, 403, { code: "permission", message: inside });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
