/** File calls in a strace log. */
import { posix } from "node:path";
import type { ActionType, FileFlag } from "../../../lib/core/mod.ts";
import { type Call, printedFd, printedString } from "../../support/mod.ts";
import type { Mapped, Mapping } from "./expected.ts";
import type { TreeModel } from "./model.ts";
import { absolute, resolveDirectory, resolveParent } from "./paths.ts";

/** The rows of the table for files. */
export const FILE_MAPPINGS: Readonly<Record<string, Mapping>> = {
  open: (call, model) => opened(call, model, { directory: undefined, path: 0, flags: call.args[1] }),
  openat: (call, model) => opened(call, model, { directory: 0, path: 1, flags: call.args[2] }),
  openat2: (call, model) => opened(call, model, { directory: 0, path: 1, flags: call.args[2] }),
  creat: (call, model) => opened(call, model, { directory: undefined, path: 0, flags: "O_WRONLY|O_CREAT|O_TRUNC" }),
  unlink: (call, model) => [removed("file.delete", named(call, model, { path: 0 }), model)],
  rmdir: (call, model) => [removed("file.rmdir", named(call, model, { path: 0 }), model)],
  unlinkat: (call, model) => {
    const type = call.args[2]?.includes("AT_REMOVEDIR") === true ? "file.rmdir" : "file.delete";
    return [removed(type, named(call, model, { directory: 0, path: 1 }), model)];
  },
  mkdir: (call, model) => [made("file.mkdir", named(call, model, { path: 0 }), { mode: call.args[1], model })],
  mkdirat: (call, model) => [
    made("file.mkdir", named(call, model, { directory: 0, path: 1 }), { mode: call.args[2], model }),
  ],
  mknod: (call, model) => [made("file.mknod", named(call, model, { path: 0 }), { mode: call.args[1], model })],
  mknodat: (call, model) => [
    made("file.mknod", named(call, model, { directory: 0, path: 1 }), { mode: call.args[2], model }),
  ],
  rename: (call, model) => [moved(call, model, [named(call, model, { path: 0 }), named(call, model, { path: 1 })])],
  renameat: renamedAt,
  renameat2: renamedAt,
  link: (call, model) => [linked(model, [named(call, model, { path: 0 }), named(call, model, { path: 1 })])],
  linkat: (call, model) => [
    linked(model, [named(call, model, { directory: 0, path: 1 }), named(call, model, { directory: 2, path: 3 })]),
  ],
  symlink: (call, model) => [symlinked(call, model, named(call, model, { path: 1 }))],
  symlinkat: (call, model) => [symlinked(call, model, named(call, model, { directory: 1, path: 2 }))],
  chmod: (call, model) => [changed("file.chmod", followed(call, model, { path: 0 }), { mode: octal(call.args[1]) })],
  fchmod: (call) => [changed("file.chmod", byDescriptor(call), { mode: octal(call.args[1]) })],
  fchmodat: (call, model) => [
    changed("file.chmod", followed(call, model, { directory: 0, path: 1 }), { mode: octal(call.args[2]) }),
  ],
  chown: (call, model) => [changed("file.chown", followed(call, model, { path: 0 }), { owner: owner(call, 1) })],
  lchown: (call, model) => [changed("file.chown", named(call, model, { path: 0 }), { owner: owner(call, 1) })],
  fchown: (call) => [changed("file.chown", byDescriptor(call), { owner: owner(call, 1) })],
  fchownat: (call, model) => {
    const empty = printedString(call.args[1]) === "";
    const name = empty ? byDescriptor(call) : followed(call, model, { directory: 0, path: 1 });
    return [changed("file.chown", name, { owner: owner(call, 2) })];
  },
  truncate: (call, model) => [changed("file.truncate", followed(call, model, { path: 0 }), {})],
  ftruncate: (call) => [changed("file.truncate", byDescriptor(call), {})],
};

/** `0` or the symbolic error number. */
function result(call: Call): string {
  return call.errno ?? "0";
}

/** Both forms that a requested name made absolute may have. */
function absolutes(directory: string | undefined, path: string | undefined): readonly string[] | undefined {
  if (directory === undefined || path === undefined) return undefined;
  const plain = absolute(directory, path);
  const tidy = posix.normalize(plain);
  return [plain, tidy, tidy.length > 1 && tidy.endsWith("/") ? tidy.slice(0, -1) : tidy];
}

interface OpenArguments {
  readonly directory: number | undefined;
  readonly path: number;
  readonly flags: string | undefined;
}

function opened(call: Call, model: TreeModel, where: OpenArguments): readonly Mapped[] {
  const directory = where.directory === undefined
    ? model.cwd(call.tid)
    : model.directory(call.tid, call.args[where.directory]);
  const path = printedString(call.args[where.path]);
  const flags = new Set((/O_[A-Z0-9_|]+/.exec(where.flags ?? "")?.[0] ?? "").split("|"));
  const requested = path === undefined ? undefined : [path];
  if (call.errno !== undefined) {
    // An open that failed counts by what it tried; where the file was in the way it did not try to make one.
    const type = openType(flags, flags.has("O_CREAT") && call.errno !== "EEXIST");
    const all = absolutes(directory, path);
    return [{ type, paths: all, absolutes: all, requested, result: call.errno }];
  }
  const file = printedFd(call.returned);
  if (file?.path === undefined) throw new Error(`map ${call.name}: no path of the new descriptor: ${call.returned}`);
  if (flags.has("O_TMPFILE")) {
    return [{ type: "file.create", paths: [file.path], requested, result: "0", flags: ["tmpfile"] }];
  }
  const created = flags.has("O_CREAT") && !model.exists(file.path);
  if (created) model.add(file.path);
  const append: readonly FileFlag[] = flags.has("O_APPEND") ? ["append"] : [];
  return [{ type: openType(flags, created), paths: [file.path], requested, result: "0", flags: append }];
}

function openType(flags: ReadonlySet<string>, created: boolean): ActionType {
  if (created) return "file.create";
  if (flags.has("O_TRUNC")) return "file.truncate";
  return flags.has("O_WRONLY") || flags.has("O_RDWR") ? "file.write" : "file.read";
}

interface Named {
  readonly paths: readonly string[] | undefined;
  readonly absolutes: readonly string[] | undefined;
  readonly requested: string | undefined;
  readonly result: string;
}

interface Where {
  /** Index of the `dirfd` argument; absent for the working directory. */
  readonly directory?: number;
  readonly path: number;
}

/** A name whose last component is not followed. */
function named(call: Call, model: TreeModel, where: Where): Named {
  const directory = where.directory === undefined
    ? model.cwd(call.tid)
    : model.directory(call.tid, call.args[where.directory]);
  const requested = printedString(call.args[where.path]);
  const full = directory === undefined || requested === undefined ? undefined : absolute(directory, requested);
  // Here and now /proc/self would be the test.
  const own = full?.replace(/^\/proc\/self(?=\/)/, `/proc/${model.pid(call.tid)}`);
  return {
    paths: own === undefined ? undefined : [resolveParent(own)],
    absolutes: absolutes(directory, requested),
    requested,
    result: result(call),
  };
}

/** A name whose last component is followed by the kernel; the guard may or may not do so after the event. */
function followed(call: Call, model: TreeModel, where: Where): Named {
  const name = named(call, model, where);
  const own = name.paths?.[0];
  return { ...name, paths: own === undefined ? undefined : [own, resolveDirectory(own)] };
}

function byDescriptor(call: Call): Named {
  const path = printedFd(call.args[0])?.path;
  return {
    paths: path === undefined ? undefined : [path],
    absolutes: undefined,
    requested: undefined,
    result: result(call),
  };
}

function changed(
  type: ActionType,
  name: Named,
  more: { readonly mode?: number | undefined; readonly owner?: string },
): Mapped {
  const { requested, ...rest } = name;
  return { type, ...rest, requested: requested === undefined ? undefined : [requested], ...more };
}

function removed(type: ActionType, name: Named, model: TreeModel): Mapped {
  if (name.result === "0") { for (const path of name.paths ?? []) model.remove(path); }
  return changed(type, name, {});
}

function made(
  type: ActionType,
  name: Named,
  more: { readonly mode: string | undefined; readonly model: TreeModel },
): Mapped {
  if (name.result === "0") { for (const path of name.paths ?? []) more.model.add(path); }
  return changed(type, name, { mode: octal(more.mode) });
}

function renamedAt(call: Call, model: TreeModel): readonly Mapped[] {
  return [
    moved(call, model, [
      named(call, model, { directory: 0, path: 1 }),
      named(call, model, { directory: 2, path: 3 }),
    ]),
  ];
}

function moved(call: Call, model: TreeModel, names: readonly [Named, Named]): Mapped {
  const [from, to] = names;
  const exchanged = call.args[4]?.includes("RENAME_EXCHANGE") === true;
  if (from.result === "0" && !exchanged) model.move(from.paths?.[0] ?? "", to.paths?.[0] ?? "");
  return twoNames("file.rename", names);
}

function linked(model: TreeModel, names: readonly [Named, Named]): Mapped {
  if (names[1].result === "0") model.add(names[1].paths?.[0] ?? "");
  return twoNames("file.link", names);
}

function twoNames(type: ActionType, [from, to]: readonly [Named, Named]): Mapped {
  return {
    ...changed(type, from, {}),
    new_paths: to.paths,
    new_absolutes: to.absolutes,
    requested_new: to.requested,
  };
}

function symlinked(call: Call, model: TreeModel, link: Named): Mapped {
  const target = printedString(call.args[0]);
  if (link.result === "0") model.add(link.paths?.[0] ?? "");
  return {
    type: "file.symlink",
    paths: target === undefined ? undefined : [target],
    absolutes: target === undefined ? undefined : [target],
    new_paths: link.paths,
    new_absolutes: link.absolutes,
    result: link.result,
  };
}

/** The permission bits of a printed mode such as `S_IFIFO|0640`. */
function octal(text: string | undefined): number | undefined {
  const digits = /(?:^|\|)(0[0-7]*)$/.exec(text ?? "")?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

function owner(call: Call, at: number): string {
  return `${call.args[at] ?? ""}:${call.args[at + 1] ?? ""}`;
}
