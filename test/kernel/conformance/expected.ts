/** What the record must say about each line of a strace log: the mapping from system calls to actions. */
import { constants } from "node:os";
import type { ActionType, ExecFlag, FileFlag } from "../../../lib/core/mod.ts";
import type { Call, TraceEvent } from "../../support/mod.ts";
import { execFailed, execSucceeded } from "./expected_exec.ts";
import { FILE_MAPPINGS } from "./expected_files.ts";
import { bound, connected, listening, sentMany, sentMessage, sentTo } from "./expected_net.ts";
import { isClone, makesThread, TreeModel } from "./model.ts";

/** One action that must be in the record exactly once. Absent fields are not compared. */
export interface Expected {
  readonly pid: number;
  readonly type: ActionType;
  /** Image of the process at that time. */
  readonly exe?: string | undefined;
  /** Accepted values of `path` where the action is not flagged `requested_only`. */
  readonly paths?: readonly string[] | undefined;
  /** Accepted values of `path` where it is: the requested name made absolute, as given or tidied. */
  readonly absolutes?: readonly string[] | undefined;
  readonly new_paths?: readonly string[] | undefined;
  readonly new_absolutes?: readonly string[] | undefined;
  /** Accepted values of `requested_path`. */
  readonly requested?: readonly string[] | undefined;
  readonly requested_new?: string | undefined;
  readonly result?: string | undefined;
  readonly mode?: number | undefined;
  readonly owner?: string | undefined;
  readonly protocol?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly argv?: readonly string[] | undefined;
  readonly cwd?: string | undefined;
  readonly interpreter?: string | undefined;
  /** Flags that must be there. */
  readonly flags?: readonly (FileFlag | ExecFlag)[] | undefined;
  readonly child?: number | undefined;
  readonly exit_code?: number | undefined;
  readonly signal?: number | undefined;
}

/** What one call leads to, without what every action has. */
export type Mapped = Omit<Expected, "pid" | "exe">;

/** A row of the table. `model` is as it was before the call. */
export type Mapping = (call: Call, model: TreeModel) => readonly Mapped[];

/** The system calls that are traced and compared, with their mapping. */
const MAPPINGS: Readonly<Record<string, Mapping>> = {
  ...FILE_MAPPINGS,
  execve: (call, model) => [call.errno === undefined ? execSucceeded(call, model) : execFailed(call)],
  execveat: (call, model) => [call.errno === undefined ? execSucceeded(call, model) : execFailed(call)],
  fork: forked,
  vfork: forked,
  clone: forked,
  clone3: forked,
  connect: connected,
  bind: bound,
  listen: listening,
  sendto: sentTo,
  sendmsg: sentMessage,
  sendmmsg: sentMany,
  chdir: () => [],
  fchdir: () => [],
};

/** The value of `-e trace=`. */
export const TRACED_CALLS: string = Object.keys(MAPPINGS).join(",");

/** The actions of a log in order, and the model as it is at the end. `root` as in {@link TreeModel}. */
export function expectedActions(
  events: readonly TraceEvent[],
  root: string,
): { readonly expected: readonly Expected[]; readonly model: TreeModel } {
  const model = new TreeModel(root);
  const expected: Expected[] = [];
  for (const event of events) {
    if (event.kind === "exit") {
      if (model.pid(event.tid) === event.tid) expected.push(exited(event, model));
    } else if (event.kind === "begin") {
      model.begin(event.call);
    } else if (event.call.value !== undefined) {
      const mapping = MAPPINGS[event.call.name];
      if (mapping === undefined) throw new Error(`map ${event.call.name}: no row in the table`);
      const partials = mapping(event.call, model);
      const pid = model.pid(event.call.tid);
      // A fork happens before the child does anything, its return after; an exec changes the image.
      for (const partial of partials) expected.push({ pid, exe: model.exe(event.call.tid), ...partial });
      model.end(event.call);
    }
  }
  return { expected, model };
}

function exited(event: Extract<TraceEvent, { kind: "exit" }>, model: TreeModel): Expected {
  const signals: Readonly<Record<string, number>> = constants.signals;
  return {
    pid: event.tid,
    exe: model.exe(event.tid),
    type: "process.exit",
    exit_code: event.exit_code,
    signal: event.signal === undefined ? undefined : signals[event.signal],
  };
}

function forked(call: Call): readonly Mapped[] {
  if (!isClone(call) || call.errno !== undefined || makesThread(call)) return [];
  return [{ type: "process.fork", child: call.value }];
}
