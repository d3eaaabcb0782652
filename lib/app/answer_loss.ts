/** What becomes of sessions when events were lost. */
import type { Log } from "../core/mod.ts";
import type { Sessions } from "./sessions.ts";

/**
 * Pauses or ends the session that lost events, or all where nobody knows which, as `[guard] on_loss` says; what fails
 * is logged.
 */
export function answerLoss(sessions: Sessions, answer: "record" | "freeze" | "kill", { session_id, log }: {
  readonly session_id: string | undefined;
  readonly log: Log;
}): void {
  if (answer === "record") return;
  const who = { id: "guard", verified: "[guard] on_loss", terminal: false };
  for (const { info } of sessions.running()) {
    if (session_id !== undefined && info.session_id !== session_id) continue;
    const acted = answer === "freeze" ? sessions.pause(info.session_id, who) : sessions.kill(info.session_id, who);
    void acted.then((result) => {
      if (!result.ok) log.error(`answer a loss of events: ${result.error.message}`);
    });
  }
}
