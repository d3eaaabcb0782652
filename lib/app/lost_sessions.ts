/**
 * Sessions whose guard died: their launchers leave a file each in the state directory, from which the next guard
 * records since when nobody saw what the tree did, and until when.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, rmSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type EntryDraft,
  errorMessage,
  formatTime,
  type GuardAction,
  type RecordSink,
  type SessionId,
  sessionIdOf,
} from "../core/mod.ts";
import { openShim, SystemCalls } from "../../ffi/mod.ts";
import { heldFile } from "./held_ledger.ts";

const PREFIX = "lost-";
/** `lost TIME`, and when the tree ended how and when it did; microseconds of the epoch. */
const CONTENT = /^lost (\d{1,17})\n(?:(ended|killed) (\d{1,17})\n)?$/;
const CONTENT_BYTES_MAX = 128;
/** Files that one start looks at. */
const FILES_MAX = 1_000;

/** What a lost guard leaves to record. */
export interface LostSession {
  readonly drafts: readonly EntryDraft[];
  /** Takes the file away; call it when the drafts are with the recorder. Nothing where the tree still runs. */
  readonly forget: () => void;
}

/** Where the launcher of a session is to tell that its guard died. */
export function lostFile(state_dir: string, session_id: SessionId): string {
  return join(state_dir, `${PREFIX}${session_id}`);
}

/** Records what guards before this one could not see; their traces go when that is durable. Rejects as `flush` does. */
export async function recordLost(state_dir: string, sink: RecordSink, now_us: number): Promise<void> {
  const lost = lostSessions(state_dir, now_us);
  if (lost.length === 0) return;
  for (const draft of lost.flatMap(({ drafts }) => drafts)) sink.append(draft);
  await sink.flush();
  for (const { forget } of lost) forget();
}

/** The sessions of guards that died, in the order of their beginning; `now_us` is the wall clock. */
export function lostSessions(state_dir: string, now_us: number): readonly LostSession[] {
  const found = readdirSync(state_dir).filter((name) => name.startsWith(PREFIX)).toSorted().flatMap((name) => {
    const session_id = sessionIdOf(name.slice(PREFIX.length));
    return session_id === undefined ? [] : [{ path: join(state_dir, name), session_id }];
  });
  if (found.length === 0) return [];
  const calls = new SystemCalls(openShim());
  return found.slice(0, FILES_MAX).map(({ path, session_id }) => {
    try {
      return readLost(path, session_id, { calls, now_us });
    } catch (error) {
      const detail = `read ${path}, which tells of a session without its guard: ${errorMessage(error)}`;
      return {
        drafts: [{ time_us: now_us, kind: "guard", action: { type: "guard.degraded", detail } }],
        forget: () => {},
      };
    }
  });
}

function readLost(
  path: string,
  session_id: SessionId,
  { calls, now_us }: { readonly calls: SystemCalls; readonly now_us: number },
): LostSession {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw new Error("it is no file");
    // The launcher holds the lock as long as anything of the tree lives.
    const running = !calls.lockExclusive(fd);
    const bytes = new Uint8Array(CONTENT_BYTES_MAX);
    const text = new TextDecoder().decode(bytes.subarray(0, readSync(fd, bytes)));
    const found = CONTENT.exec(text);
    const from_us = Number(found?.[1] ?? 0);
    const to_us = found?.[3] === undefined ? undefined : Number(found[3]);
    const span = from_us === 0 ? "since an unknown time" : `from ${formatTime(from_us)}`;
    const until = to_us === undefined ? (running ? "and goes on" : "until an unknown time") : `to ${formatTime(to_us)}`;
    const end = found?.[2] === "killed" ? "; its tree was ended" : "";
    const action: GuardAction = {
      type: "guard.lost",
      detail: `session ${session_id} was without its guard ${span} ${until}${end}`,
    };
    const gap = {
      source: "coverage",
      type: "unguarded",
      count: 1,
      ...(from_us === 0 ? undefined : { from: formatTime(from_us) }),
      ...(to_us === undefined ? undefined : { to: formatTime(to_us) }),
    };
    return {
      drafts: [
        { time_us: now_us, kind: "guard", session_id, action },
        { time_us: now_us, kind: "gap", session_id, gap },
      ],
      forget: () => {
        if (running) return;
        rmSync(heldFile(dirname(path), session_id), { force: true });
        unlinkSync(path);
      },
    };
  } finally {
    closeSync(fd);
  }
}
