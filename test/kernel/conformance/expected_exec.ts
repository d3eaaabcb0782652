/** Program starts in a strace log. */
import { LIMITS } from "../../../lib/core/mod.ts";
import type { ExecFlag } from "../../../lib/core/mod.ts";
import { type Call, printedFd, printedString, printedStrings } from "../../support/mod.ts";
import type { Mapped } from "./expected.ts";
import { shebang, type TreeModel } from "./model.ts";
import { absolute, resolveDirectory } from "./paths.ts";

interface Start {
  /** The name given; undefined where it could not be read. */
  readonly requested: string | undefined;
  /** What the kernel calls the program: also what a script is given as its own name (fs/exec.c, bprm->filename). */
  readonly filename: string | undefined;
  readonly argv: readonly string[];
}

function start(call: Call): Start {
  if (call.name === "execve") {
    const requested = printedString(call.args[0]);
    return { requested, filename: requested, argv: printedStrings(call.args[1]) ?? [] };
  }
  const requested = printedString(call.args[1]);
  const directory = printedFd(call.args[0]);
  const argv = printedStrings(call.args[2]) ?? [];
  if (requested === undefined || directory === undefined || directory.fd === -100 || requested.startsWith("/")) {
    return { requested, filename: requested, argv };
  }
  const filename = `/dev/fd/${directory.fd}${requested === "" ? "" : `/${requested}`}`;
  return { requested, filename, argv };
}

/** A refused start. */
export function execFailed(call: Call): Mapped {
  const { requested } = start(call);
  return { type: "exec.failed", requested: requested === undefined ? undefined : [requested], result: call.errno };
}

/** A start; the process runs another image from here on. */
export function execSucceeded(call: Call, model: TreeModel): Mapped {
  const { requested, filename, argv } = start(call);
  if (requested === undefined || filename === undefined) throw new Error(`map ${call.name}: a start without a name`);
  const image = imageOf(call, model, requested);
  const script = image.flags.length === 0 ? shebang(image.path) : undefined;
  const names = [requested, filename];
  const common = { type: "exec", requested: names, cwd: model.cwd(call.tid) } as const;
  if (script === undefined) {
    model.setExe(call.tid, image.path);
    return { ...common, paths: [image.path], argv, flags: [...image.flags, ...truncated(argv)] };
  }
  const interpreter = resolveDirectory(absolute(model.cwd(call.tid), script.interpreter));
  model.setExe(call.tid, interpreter);
  const own = script.argument === undefined ? [script.interpreter] : [script.interpreter, script.argument];
  return { ...common, paths: [image.path], interpreter, argv: [...own, filename, ...argv.slice(1)], flags: ["script"] };
}

function imageOf(
  call: Call,
  model: TreeModel,
  requested: string,
): { readonly path: string; readonly flags: readonly ExecFlag[] } {
  if (call.name === "execve") return { path: resolveDirectory(absolute(model.cwd(call.tid), requested)), flags: [] };
  const directory = printedFd(call.args[0]);
  const base = model.directory(call.tid, call.args[0]);
  if (base === undefined) throw new Error(`map ${call.name}: a start below an unknown directory`);
  if (requested !== "") return { path: resolveDirectory(absolute(base, requested)), flags: [] };
  if (base.startsWith("/memfd:")) return { path: base, flags: ["memfd"] };
  return { path: base, flags: directory?.deleted === true ? ["deleted"] : [] };
}

/** More arguments than an entry keeps are cut, and say so. */
function truncated(argv: readonly string[]): readonly ExecFlag[] {
  const bytes = argv.reduce((sum, argument) => sum + Buffer.byteLength(argument) + 1, 0);
  return bytes > LIMITS.argv_bytes_max ? ["args_truncated"] : [];
}
