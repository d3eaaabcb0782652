/** What commands ask of approvals, over the control socket. */
import {
  AgentguardError,
  type ApprovalEvent,
  type ApprovalView,
  type Ballot,
  type GrantTerm,
  type GrantView,
} from "../core/mod.ts";
import type { Lag } from "../publish/mod.ts";
import type { ControlClient } from "./client.ts";
import { isApprovalEvent, isApprovalList, isApprovalView, isGrantList, isGrantView, isLag } from "./client_types.ts";

/** Throws what `ControlClient` throws. */
export class ApprovalClient {
  readonly #client: ControlClient;

  constructor(client: ControlClient) {
    this.#client = client;
  }

  /** Questions that wait. */
  async list(): Promise<readonly ApprovalView[]> {
    return expect(await this.#client.ask("GET", "/v1/approvals"), isApprovalList).approvals;
  }

  /** One question; `id` may be a part of the id of one that waits. */
  async show(id: string): Promise<ApprovalView> {
    return expect(await this.#client.ask("GET", `/v1/approvals/${await this.#whole(id)}`), isApprovalView);
  }

  /** Answers one question; the question afterwards. */
  async vote(id: string, ballot: Ballot): Promise<ApprovalView> {
    const verb = ballot.verdict === "allow" ? "approve" : "deny";
    const { reason, grant, match, code } = ballot;
    const body = JSON.stringify({ reason, for: grant === undefined ? undefined : termText(grant), match, code });
    const path = `/v1/approvals/${await this.#whole(id)}/${verb}`;
    return expect(await this.#client.ask("POST", path, body), isApprovalView);
  }

  /** What waits, and everything from now on. */
  async *watch(signal: AbortSignal): AsyncGenerator<ApprovalEvent | Lag, void, void> {
    for await (const item of this.#client.stream("/v1/approvals/stream", signal)) {
      if (isLag(item) || isApprovalEvent(item)) yield item;
      else throw new AgentguardError("io", "update agentguard: the guard sent an unknown line");
    }
  }

  /** Standing grants. */
  async grants(): Promise<readonly GrantView[]> {
    return expect(await this.#client.ask("GET", "/v1/grants"), isGrantList).grants;
  }

  /** Takes one back; the grant that it was. */
  async revoke(id: string): Promise<GrantView> {
    const ids = id.length === WHOLE ? [] : (await this.grants()).map(({ grant_id }) => grant_id);
    const path = `/v1/grants/${onlyMatch(id, ids)}/revoke`;
    return expect(await this.#client.ask("POST", path), isGrantView);
  }

  async #whole(id: string): Promise<string> {
    return onlyMatch(id, id.length === WHOLE ? [] : (await this.list()).map(({ approval_id }) => approval_id));
  }
}

/** Length of an id, characters. */
const WHOLE = 26;

/** The one id that begins or ends so. Throws `not_found` for none, `usage` for several: a guess might allow another. */
function onlyMatch(part: string, ids: readonly string[]): string {
  if (part.length === WHOLE) return part;
  const found = ids.filter((id) => id.startsWith(part) || id.endsWith(part));
  const [id, ...others] = found;
  if (id === undefined) throw new AgentguardError("not_found", `find ${part}: no id that waits begins or ends so`);
  if (others.length === 0) return id;
  throw new AgentguardError("usage", `type more of the id: ${found.length} begin or end with ${part}`);
}

function termText(term: GrantTerm): string {
  return term.term === "duration" ? `${Math.round(term.duration_ms / 1_000)}s` : term.term;
}

function expect<T>(value: unknown, is: (value: unknown) => value is T): T {
  if (is(value)) return value;
  throw new AgentguardError("io", "update agentguard: the guard's answer has an unknown shape");
}
