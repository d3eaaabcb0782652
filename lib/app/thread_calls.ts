/** Requests to a thread and their answers, each found by a number: the caller's side and the thread's. */
import { AgentguardError, type ErrorCode, errorMessage } from "../core/mod.ts";

/** A request on its way. */
export interface ThreadCall<Request> {
  readonly id: number;
  readonly request: Request;
}

/** What the thread answers. */
export type ThreadAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly code: ErrorCode; readonly message: string };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: AgentguardError) => void;
}

/** The caller's side. */
export class ThreadCalls<Request> {
  readonly #post: (call: ThreadCall<Request>, transfer: Bun.Transferable[]) => void;
  readonly #waiting: Map<number, Waiting> = new Map();
  #next_id = 1;
  #failure: AgentguardError | undefined;

  constructor(post: (call: ThreadCall<Request>, transfer: Bun.Transferable[]) => void) {
    this.#post = post;
  }

  /** Sends a request; rejects with what the thread threw, or with what it failed with. */
  call(request: Request, transfer: Bun.Transferable[] = []): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#next_id++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    this.#post({ id, request }, transfer);
    return promise;
  }

  /** Takes an answer. One that nobody waits for is left. */
  settle(answer: ThreadAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.ok) waiting?.resolve(answer.value);
    else waiting?.reject(new AgentguardError(answer.code, answer.message));
  }

  /** The thread cannot go on: everything that waits and that comes is rejected with the error. */
  fail(error: AgentguardError): void {
    this.#failure = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

/** The thread's side: carries a request out and makes its answer. Never rejects. */
export async function answerCall<Request>(
  { id, request }: ThreadCall<Request>,
  handle: (request: Request) => Promise<unknown>,
): Promise<ThreadAnswer> {
  try {
    return { id, ok: true, value: await handle(request) };
  } catch (error) {
    const code = error instanceof AgentguardError ? error.code : "invariant";
    return { id, ok: false, code, message: errorMessage(error) };
  }
}
