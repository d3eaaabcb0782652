/** Messages for a chat room, in the form of Slack's incoming webhooks. Source: docs.slack.dev, Block Kit. */
import { AgentguardError, type ApprovalEvent, type ApprovalView } from "../core/mod.ts";

/** Longest text of a section, characters. */
const SECTION_CHARS_MAX = 2_900;
/** Longest text in one line of a message, characters. */
const LINE_CHARS_MAX = 300;

/** What a chat needs. */
export interface ChatParts {
  /** A secret: whoever has it can write there. */
  readonly url: string;
  /** Sends; `fetch` outside tests. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** The action in one line, safe to show. */
  readonly describe: (approval: ApprovalView) => string;
}

/** The policy's chat room. It is told; it does not answer. */
export class Chat {
  readonly name = "slack";
  readonly #parts: ChatParts;

  constructor(parts: ChatParts) {
    this.#parts = parts;
  }

  /** Tells of an event, once. Throws `io` for any status but 2xx and for no answer at all. */
  async send(event: ApprovalEvent, signal: AbortSignal): Promise<undefined> {
    const response = await this.#parts.fetch(this.#parts.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(chatMessage(event, this.#parts.describe(event.approval))),
      redirect: "error",
      signal,
    });
    await response.body?.cancel();
    if (!response.ok) throw new AgentguardError("io", `the chat answered with status ${response.status}`);
    return undefined;
  }
}

/** The message of an event. `action` is the action in one line. */
export function chatMessage(event: ApprovalEvent, action: string): unknown {
  const { approval } = event;
  const { approval_id, session, rule, reason, answer } = approval;
  const what = "```" + escape(action, SECTION_CHARS_MAX) + "```";
  const who = session === undefined ? "an agent" : `${session.agent} (session ${session.session_id})`;
  if (event.event === "answered" && answer !== undefined) {
    const mark = answer.verdict === "allow" ? ":white_check_mark: allowed" : ":no_entry: denied";
    const text = `${mark} by ${escape(answer.by, LINE_CHARS_MAX)}: ${approval_id}`;
    return { text, blocks: [section(`${text}\n${what}`)] };
  }
  const text = `${escape(who, LINE_CHARS_MAX)} asks to go on: ${approval_id}`;
  const why = `*Why asked*: ${escape(reason, LINE_CHARS_MAX)}${
    rule === undefined ? "" : ` (rule ${escape(rule, 80)})`
  }`;
  const until = `*Denied by itself* at ${approval.expires}`;
  const how = `\`agentguard approvals show ${approval_id}\`\n\`agentguard approvals approve ${approval_id}\``;
  return { text, blocks: [section(`*${text}*\n${what}\n${why}\n${until}`), section(how)] };
}

function section(text: string): unknown {
  return { type: "section", text: { type: "mrkdwn", text } };
}

/** Source: docs.slack.dev, "Escaping text"; a fence of code in the text must not end ours. */
function escape(text: string, chars_max: number): string {
  const cut = text.length > chars_max ? `${text.slice(0, chars_max)}...` : text;
  return cut.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("`", "'");
}
