/** Bounds of approvals. */

/** Every bound, with its unit and reason. */
export const APPROVAL_LIMITS = {
  /** Questions open at once: four times what a guard must hold. */
  pending_max: 4_096,
  /** Of one session: one agent cannot take the places of all others. */
  pending_per_session_max: 2_048,
  /** Answered questions that can still be shown. */
  answered_max: 1_024,
  /** Standing grants: each question looks at all of them. */
  grants_max: 4_096,
  /** A reason that an approver gives, characters. */
  reason_chars_max: 1_024,
  /** A pattern that an approver gives, characters. */
  match_chars_max: 1_024,
  /** How long a standing grant may hold, milliseconds: a year. */
  grant_ms_max: 31_536_000_000,
  /** Questions that a slow watcher may be behind before it misses some. */
  watch_capacity: 8_192,
  /** How long a no holds for the same action of the same process too, milliseconds. */
  denied_again_ms: 2_000,
  /** Denials remembered for that. */
  denied_again_max: 1_024,
  /** Wrong one-time codes in a row before codes are refused for a while. */
  codes_wrong_max: 5,
  /** How long they are refused then, milliseconds. */
  codes_refused_ms: 60_000,
  /** How old or how far ahead a signed message may be, milliseconds. */
  signature_window_ms: 300_000,
  /** Signed messages remembered within the window, so that none counts twice. */
  signatures_max: 16_384,
  /** Bytes of a webhook's answer that are read. */
  webhook_answer_bytes_max: 16_384,
  /** Time for one try to deliver a notice, milliseconds. */
  notice_ms_max: 10_000,
  /** Tries to deliver a notice. */
  notice_attempts_max: 4,
  /** Notices on their way at once; more wait. */
  notices_at_once: 8,
  /** Notices that wait. */
  notices_waiting_max: 16_384,
} as const;
