/** Sessions by their number in the kernel. */
import { AgentguardError, LIMITS, type SessionInfo } from "../core/mod.ts";

/** Which session a scope number means. */
export class SessionTable {
  readonly #by_scope: Map<number, SessionInfo> = new Map();

  /** Remembers a session; throws `overflow` beyond the bound. */
  put(scope: number, session: SessionInfo): void {
    if (this.#by_scope.size >= LIMITS.sessions_max && !this.#by_scope.has(scope)) {
      throw new AgentguardError("overflow", `begin session: ${LIMITS.sessions_max} sessions are open`);
    }
    this.#by_scope.set(scope, session);
  }

  /** The session; `undefined` where the scope is 0 or has ended. */
  get(scope: number): SessionInfo | undefined {
    return this.#by_scope.get(scope);
  }

  /** Forgets a session that ended. */
  remove(scope: number): void {
    this.#by_scope.delete(scope);
  }
}
