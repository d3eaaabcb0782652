/** `agentguard approvals watch`: shows questions as they come, and asks the person at the terminal. */
import { createInterface, type Interface } from "node:readline";
import { AgentguardError, type ApprovalEvent, type ApprovalView, type Ballot } from "../core/mod.ts";
import type { ApprovalClient } from "./approval_client.ts";
import { EXIT } from "./command.ts";
import type { ApprovalsInput } from "./command_approvals.ts";
import { readCode } from "./command_approvals_leaves.ts";
import { type CommandIo, failWith } from "./command_io.ts";
import { formatAnswer, formatApproval } from "./format_approval.ts";
import { escapeMessage, painter } from "./format_text.ts";

/** Lines that a person typed ahead; more are not looked at. */
const LINES_MAX = 64;

/** Watches until the guard ends the stream (1) or the person quits (0). Without a terminal it only shows. */
export async function watchApprovals(
  client: ApprovalClient,
  io: CommandIo,
  parts: ApprovalsInput & { readonly json: boolean },
): Promise<number> {
  const quit = new AbortController();
  const interactive = !parts.json && io.isTty && parts.input.isTTY === true;
  const person = interactive
    ? new Person(client, io, { lines: createInterface({ input: parts.input }), quit })
    : undefined;
  try {
    for await (const item of client.watch(quit.signal)) {
      if ("lagged" in item) {
        if (item.lagged > 0) await io.stdout.write(`${item.lagged} notices were not shown: this reader is too slow\n`);
        else if (!parts.json) await io.stdout.write("watching; what waits is shown, then what comes\n");
      } else if (parts.json) await io.stdout.write(`${JSON.stringify(item)}\n`);
      else if (person === undefined) await io.stdout.write(`${shown(item, io)}\n`);
      else await person.event(item);
    }
  } catch (thrown) {
    if (quit.signal.aborted) return EXIT.ok;
    throw thrown;
  } finally {
    person?.close();
  }
  return await failWith(io, "start the guard again: it ended the stream", EXIT.failed);
}

function shown({ event, approval }: ApprovalEvent, io: CommandIo): string {
  const paint = painter(io);
  if (event === "asked") return [...formatApproval(approval, { paint, columns: io.columns }), ""].join("\n");
  return formatAnswer(approval, paint);
}

/** The person at the terminal: one question at a time, the oldest first. */
class Person {
  readonly #quit: AbortController;
  readonly #client: ApprovalClient;
  readonly #io: CommandIo;
  readonly #lines: Interface;
  readonly #waiting: Map<string, ApprovalView> = new Map();
  readonly #skipped: Set<string> = new Set();
  readonly #typed: string[] = [];
  #asked: ApprovalView | undefined;
  /** What the next line is: an answer, or the code or pattern that belongs to one. */
  #pending: Ballot | undefined;
  #busy = false;

  constructor(
    client: ApprovalClient,
    io: CommandIo,
    parts: { readonly lines: Interface; readonly quit: AbortController },
  ) {
    this.#client = client;
    this.#io = io;
    this.#lines = parts.lines;
    this.#quit = parts.quit;
    parts.lines.on("line", (line) => {
      if (this.#typed.length < LINES_MAX) this.#typed.push(line);
      void this.#work();
    });
    // The end of the input ends the watch.
    parts.lines.on("close", () => this.#quit.abort());
  }

  close(): void {
    this.#lines.close();
  }

  async event({ event, approval }: ApprovalEvent): Promise<void> {
    const { approval_id } = approval;
    if (event === "asked") this.#waiting.set(approval_id, approval);
    else {
      if (event === "answered") this.#waiting.delete(approval_id);
      await this.#io.stdout.write(`${formatAnswer(approval, painter(this.#io))}\n`);
      if (event === "answered" && this.#asked?.approval_id === approval_id) this.#forget();
    }
    await this.#askNext();
  }

  #forget(): void {
    this.#asked = undefined;
    this.#pending = undefined;
  }

  async #askNext(): Promise<void> {
    if (this.#asked !== undefined) return;
    const next = [...this.#waiting.values()].find(({ approval_id }) => !this.#skipped.has(approval_id));
    if (next === undefined) return;
    this.#asked = next;
    const paint = painter(this.#io);
    // Several lines of the view tell what to type in a shell; here the keys do.
    const lines = formatApproval(next, { paint, columns: this.#io.columns }).filter((line) =>
      !line.includes("agentguard approvals ")
    );
    await this.#io.stdout.write(`\n${lines.join("\n")}\n${this.#prompt()}`);
  }

  #prompt(): string {
    return painter(this.#io)("bold", "y yes once, s yes for this session, n no, k skip, q quit > ");
  }

  /** One line after the other. */
  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let line = this.#typed.shift(); line !== undefined; line = this.#typed.shift()) {
        await this.#line(line.trim());
      }
    } finally {
      this.#busy = false;
    }
  }

  async #line(line: string): Promise<void> {
    const asked = this.#asked;
    if (line === "q") return this.close();
    if (asked === undefined) return;
    if (this.#pending !== undefined) return await this.#codeFor(asked, this.#pending, line);
    switch (line) {
      case "y":
        return await this.#vote(asked, { verdict: "allow" });
      case "s":
        return await this.#vote(asked, { verdict: "allow", grant: { term: "session" } });
      case "n":
        return await this.#vote(asked, { verdict: "deny" });
      case "k":
        this.#skipped.add(asked.approval_id);
        this.#forget();
        return await this.#askNext();
      default:
        await this.#io.stdout.write(this.#prompt());
    }
  }

  async #vote(asked: ApprovalView, ballot: Ballot): Promise<void> {
    if (ballot.verdict === "allow" && asked.code_needed && ballot.code === undefined) {
      this.#pending = ballot;
      return await this.#io.stdout.write("one-time code > ");
    }
    try {
      const view = await this.#client.vote(asked.approval_id, ballot);
      // An answer is told by the stream, to everybody; a vote that is not enough is too.
      if (view.state === "pending") this.#skipped.add(view.approval_id);
    } catch (thrown) {
      if (!(thrown instanceof AgentguardError)) throw thrown;
      await this.#io.stdout.write(`${painter(this.#io)("red", escapeMessage(thrown.message))}\n`);
      if (this.#asked?.approval_id === asked.approval_id) await this.#io.stdout.write(this.#prompt());
      return;
    }
    if (this.#asked?.approval_id === asked.approval_id && this.#skipped.has(asked.approval_id)) {
      this.#forget();
      await this.#askNext();
    }
  }

  async #codeFor(asked: ApprovalView, ballot: Ballot, line: string): Promise<void> {
    this.#pending = undefined;
    const code = readCode(line);
    if (code.ok) return await this.#vote(asked, { ...ballot, code: code.value });
    await this.#io.stdout.write(`${code.error}\n${this.#prompt()}`);
  }
}
