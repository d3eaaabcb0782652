/**
 * Programs that start another program, or run code from their command line: how to find what they start. Options as in
 * the programs' own manuals (util-linux, coreutils, findutils, sudo, BusyBox).
 */

/** What a program does with its arguments. */
export type WrapperKind =
  /** Options, then assignments and operands of its own, then a program with its arguments. */
  | { readonly kind: "prefix"; readonly options: PrefixOptions }
  /** A shell: `-c SCRIPT`, a file, or standard input. */
  | { readonly kind: "shell" }
  /** An interpreter of another language: code in an option, a file, or standard input. */
  | { readonly kind: "interpreter"; readonly code: RegExp; readonly python: boolean }
  | { readonly kind: "env" | "sudo" | "su" | "xargs" | "find" | "busybox" | "eval" | "trap" | "watch" }
  /** It starts something in a way that is not followed. */
  | { readonly kind: "opaque" };

/** How a prefix is read. */
export interface PrefixOptions {
  /** Letters of options that take the next word. */
  readonly letters: string;
  /** Long options that take the next word. */
  readonly long: readonly string[];
  /** Operands before the program. */
  readonly operands: number;
  /** Letter of an option whose value is a script. */
  readonly script?: string;
  /** Letters of options with which nothing is started. */
  readonly none?: string;
}

function prefix(letters = "", more: Partial<PrefixOptions> = {}): WrapperKind {
  return { kind: "prefix", options: { letters, long: [], operands: 0, ...more } };
}

const SHELL: WrapperKind = { kind: "shell" };
const OPAQUE: WrapperKind = { kind: "opaque" };

/** Programs by base name. */
export const WRAPPERS: ReadonlyMap<string, WrapperKind> = new Map<string, WrapperKind>([
  ...["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "rbash", "hush"].map((name) => [name, SHELL] as const),
  ["env", { kind: "env" }],
  ["sudo", { kind: "sudo" }],
  ["doas", { kind: "sudo" }],
  ["su", { kind: "su" }],
  ["runuser", { kind: "su" }],
  ["xargs", { kind: "xargs" }],
  ["find", { kind: "find" }],
  ["busybox", { kind: "busybox" }],
  ["toybox", { kind: "busybox" }],
  ["eval", { kind: "eval" }],
  ["trap", { kind: "trap" }],
  ["watch", { kind: "watch" }],
  ["nohup", prefix()],
  ["setsid", prefix()],
  ["exec", prefix("a")],
  ["command", prefix("", { none: "vV" })],
  ["builtin", prefix()],
  ["nice", prefix("n", { long: ["adjustment"] })],
  ["ionice", prefix("cnpPu", { long: ["class", "classdata"] })],
  ["chrt", prefix("TPDp", { operands: 1 })],
  ["taskset", prefix("", { operands: 1 })],
  ["time", prefix("fo", { long: ["format", "output"] })],
  ["timeout", prefix("ks", { long: ["kill-after", "signal"], operands: 1 })],
  ["stdbuf", prefix("ioe", { long: ["input", "output", "error"] })],
  ["chroot", prefix("", { operands: 1 })],
  ["unshare", prefix("SGRw", { long: ["setuid", "setgid", "root", "wd"] })],
  ["nsenter", prefix("tSG", { long: ["target", "setuid", "setgid"] })],
  ["setarch", prefix()],
  ["setpriv", prefix("", { long: ["reuid", "regid", "groups", "inh-caps", "bounding-set", "securebits"] })],
  ["prlimit", prefix("p", { long: ["pid"] })],
  ["numactl", prefix("NCmpilPw")],
  ["strace", prefix("abeEIoOpPsSuUX")],
  ["ltrace", prefix("aeFlnopsuwxX")],
  [
    "systemd-run",
    prefix("HMuptEG", { long: ["unit", "property", "uid", "gid", "slice", "setenv", "machine", "host"] }),
  ],
  ["dbus-run-session", prefix()],
  ["xvfb-run", prefix("enfps")],
  ["flock", prefix("wE", { long: ["timeout", "wait", "conflict-exit-code"], operands: 1, script: "c" })],
  ["script", prefix("BEIOTm", { operands: 1, script: "c" })],
  ["parallel", OPAQUE],
  ["bwrap", OPAQUE],
  ["capsh", OPAQUE],
  ["firejail", OPAQUE],
  ["fish", OPAQUE],
  ["pwsh", OPAQUE],
  ["python", { kind: "interpreter", code: /^-[A-Za-z]*c/, python: true }],
  ["pypy", { kind: "interpreter", code: /^-[A-Za-z]*c/, python: true }],
  ["perl", { kind: "interpreter", code: /^-[A-Za-z0]*[eE]/, python: false }],
  ["ruby", { kind: "interpreter", code: /^-[A-Za-z0]*e/, python: false }],
  ["node", { kind: "interpreter", code: /^(?:-e|-p|-pe|--eval|--print)(?:=|$)/, python: false }],
  ["nodejs", { kind: "interpreter", code: /^(?:-e|-p|-pe|--eval|--print)(?:=|$)/, python: false }],
  ["bun", { kind: "interpreter", code: /^(?:-e|-p|--eval|--print)(?:=|$)/, python: false }],
  ["deno", { kind: "interpreter", code: /^eval$/, python: false }],
  ["php", { kind: "interpreter", code: /^-r/, python: false }],
  ["lua", { kind: "interpreter", code: /^-e/, python: false }],
]);

/** The dynamic loader, started as a program: `ld-linux-x86-64.so.2 PROGRAM` (ld.so(8)); glibc and musl. */
const LOADER = /^ld(?:-linux[\w.-]*|-musl-\w+|64)?\.so\.\d+$|^ld-[\d.]+\.so$/;
const LOADER_PREFIX = prefix("", {
  long: ["library-path", "preload", "audit", "argv0", "inhibit-rpath", "glibc-hwcaps-prepend", "glibc-hwcaps-mask"],
});

/** True for the base name of a dynamic loader. */
export function isLoader(name: string): boolean {
  return LOADER.test(name);
}

/** The wrapper that a program is, by its base name; versions such as `python3.12` count as `python`. */
export function wrapperOf(name: string): WrapperKind | undefined {
  const known = WRAPPERS.get(name);
  if (known !== undefined) return known;
  if (isLoader(name)) return LOADER_PREFIX;
  const last = name.charCodeAt(name.length - 1);
  return last >= 48 && last <= 57 ? WRAPPERS.get(name.replace(/[\d.-]+$/, "")) : undefined;
}

/** Commands that the shell runs itself: they start no program (POSIX.1-2024, 2.15; bash(1)). */
export const BUILTINS: ReadonlySet<string> = new Set([
  ...[".", ":", "[", "[[", "alias", "bg", "bind", "break", "builtin", "caller", "cd", "command", "compgen", "complete"],
  ...["compopt", "continue", "declare", "dirs", "disown", "echo", "enable", "eval", "exec", "exit", "export", "false"],
  ...["fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let", "local", "logout", "mapfile", "popd"],
  ...[
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
  ],
  ...["test", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait"],
]);
