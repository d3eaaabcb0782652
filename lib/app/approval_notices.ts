/** Lines on stderr about actions that wait: whoever looks at a run that stands still learns why, and what to type. */
import type { ApprovalEvent, ApprovalView, Log } from "../core/mod.ts";
import type { Timers } from "../task/mod.ts";
import { formatAnswer } from "./format_approval.ts";
import { formatAction } from "./format_entry.ts";
import { formatDuration, formatWord } from "./format_text.ts";

/** What the notices need. */
export interface ApprovalNoticesParts {
  readonly log: Log;
  readonly timers: Timers;
  /** Of the control socket, where commands do not find it by themselves. */
  readonly runtime_dir?: string;
}

/** Questions that are told within one window; more are counted and told together at its end. */
const SHOWN_MAX = 5;
/** Length of a window, milliseconds. */
const WINDOW_MS = 1_000;
/** Longest command line in a notice, characters. */
const ACTION_CHARS_MAX = 300;

/** Never holds anything up, and never says more than a person can read. */
export class ApprovalNotices {
  readonly #parts: ApprovalNoticesParts;
  /** Questions that were told and wait. */
  readonly #told: Set<string> = new Set();
  #muted = false;
  #shown = 0;
  #more = 0;
  #window: Disposable | undefined;

  constructor(parts: ApprovalNoticesParts) {
    this.#parts = parts;
  }

  /** Says nothing from now on: questions are asked on the same terminal. */
  mute(): void {
    this.#muted = true;
  }

  /** Takes what happened. */
  event({ event, approval }: ApprovalEvent): void {
    if (this.#muted || event === "vote") return;
    if (event === "asked") this.#asked(approval);
    else this.#answered(approval);
  }

  #asked(approval: ApprovalView): void {
    if (!this.#mayShow()) return;
    const { approval_id, left_ms } = approval;
    this.#told.add(approval_id);
    const { log, runtime_dir } = this.#parts;
    const at = runtime_dir === undefined ? "" : ` --runtime ${formatWord(runtime_dir)}`;
    const until = `denied by itself in ${formatDuration(Math.max(1_000, left_ms))}`;
    log.info(`waits for an answer, ${until}: ${formatAction(approval.action, ACTION_CHARS_MAX)}`);
    log.info(`  agentguard approvals approve ${approval_id}${at}  (or show, deny)`);
  }

  #answered(approval: ApprovalView): void {
    const { approval_id, answer, action } = approval;
    const told = this.#told.delete(approval_id);
    if (!told && (answer?.by !== "unattended" || !this.#mayShow())) return;
    const what = told ? "" : `: ${formatAction(action, ACTION_CHARS_MAX)}`;
    this.#parts.log.info(`${formatAnswer(approval, (_colour, text) => text)}${what}`);
  }

  #mayShow(): boolean {
    if (this.#shown >= SHOWN_MAX) {
      this.#more++;
      return false;
    }
    this.#shown++;
    this.#window ??= this.#parts.timers.after(WINDOW_MS, () => this.#endWindow(), { unref: true });
    return true;
  }

  #endWindow(): void {
    this.#window = undefined;
    this.#shown = 0;
    const more = this.#more;
    this.#more = 0;
    if (more > 0 && !this.#muted) this.#parts.log.info(`${more} more questions: agentguard approvals list`);
  }
}
