/** The body of an answer to a question: JSON with a few known members, each bounded. */
import { type Ballot, err, GRANT_TERM_HINT, ok, parseGrantTerm, type Result } from "../core/mod.ts";

const MEMBERS: readonly string[] = ["reason", "for", "match", "code"];

/** Reads `{"reason": "...", "for": "15m", "match": "push *", "code": "123456"}`; an empty body is one for once. */
export function parseBallot(verdict: Ballot["verdict"], body: string): Result<Ballot, string> {
  if (body === "") return ok({ verdict });
  const value = parseJson(body);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return err("send a JSON object");
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (!MEMBERS.includes(name)) return err(`remove the member ${JSON.stringify(name.slice(0, 64))}`);
    if (typeof text !== "string") return err(`send ${name} as a string`);
    texts[name] = text;
  }
  const { reason, match, code } = texts;
  const grant = texts["for"] === undefined ? undefined : parseGrantTerm(texts["for"]);
  if (texts["for"] !== undefined && grant === undefined) return err(`send for as ${GRANT_TERM_HINT}`);
  return ok({
    verdict,
    ...(reason === undefined ? {} : { reason }),
    ...(grant === undefined ? {} : { grant }),
    ...(match === undefined ? {} : { match }),
    ...(code === undefined ? {} : { code }),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
