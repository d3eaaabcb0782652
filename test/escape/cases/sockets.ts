/** Ways to reach a unix socket that a rule forbids, such as that of a container engine. */
import { existsSync } from "node:fs";
import { link, rename, symlink } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type EscapeCase, type Expectation, type Place, saidOk } from "../harness/mod.ts";

/** What is there when the session begins is hidden from it, under whatever name it is asked for. */
const MASKED: Expectation = { needs: ["baseline.mounts"], label: "prevented", mechanism: "mounts" };
const HOOKED: Expectation = { needs: ["probes.lsm"], label: "prevented", mechanism: "lsm" };
/** The programs of the session's cgroup see the name. */
const NAMED: Expectation = { needs: ["probes.unix"], label: "prevented", mechanism: "cgroup" };
/** What is outside of the session's own tree has no abstract name for it; the rule sees the attempt. */
const SCOPED: Expectation = { needs: ["baseline.scope"], label: "observed", mechanism: "none" };
const AFTER: Expectation = { label: "killed_after_effect", mechanism: "signal", effect: "may" };

/** Of this run alone: such names are the whole host's. */
const ABSTRACT = `ag-escape-${process.pid}`;

/** A listener outside of the guarded tree; it does not keep the suite from ending. */
function listen({ dir }: Place, name = "engine.sock"): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer((peer) => peer.end());
  server.once("error", reject);
  server.listen(name.startsWith("\0") ? name : join(dir, name), () => resolve(server.unref()));
  return promise;
}

/**
 * A server that starts when the attempt asks for it: what is not there yet has no mask. It has its name once it
 * listens; before, the kernel would refuse without asking anybody.
 */
function listenLater(place: Place): void {
  const at = (name: string): string => join(place.dir, name);
  const timer = setInterval(() => {
    if (!existsSync(at("wanted"))) return;
    clearInterval(timer);
    void listen(place, "starting.sock").then(() => rename(at("starting.sock"), at("engine.sock")));
  }, 5);
  timer.unref();
}

function reach(way: string, escape: string, more: Partial<EscapeCase> = {}): EscapeCase {
  return {
    id: `unix-${way}`,
    escape,
    rules: ['action = "unix.connect"\npath = "@DIR@/engine.sock"\nverdict = "deny"'],
    prepare: async (place) => {
      await listen(place);
    },
    command: ({ program, dir }) => [program("unix_connect"), way, join(dir, "engine.sock")],
    happened: saidOk,
    expected: [NAMED, MASKED, HOOKED, AFTER],
    ...more,
  };
}

/** A socket whose name is no file's. */
function reachAbstract(
  way: string,
  escape: string,
  { names, expected }: {
    readonly names: { readonly rule: string; readonly socket: string };
    readonly expected: readonly Expectation[];
  },
): EscapeCase {
  return reach(way === "" ? "abstract" : `abstract-${way}`, escape, {
    rules: [`action = "unix.connect"\npath = "${names.rule}"\nverdict = "deny"`],
    prepare: async (place) => {
      await listen(place, `\0${names.socket}`);
    },
    command: ({ program }) => [program("unix_connect"), "abstract", names.socket],
    expected,
  });
}

/** The server comes up during the session. */
function reachLater(way: string, escape: string, more: Partial<EscapeCase> = {}): EscapeCase {
  return reach(`later-${way}`, `${escape}, of a server that started afterwards`, {
    prepare: (place) => Promise.resolve(listenLater(place)),
    expected: [NAMED, HOOKED, AFTER],
    ...more,
  });
}

/** Attempts to connect. */
export const SOCKETS: readonly EscapeCase[] = [
  reach("name", "unix socket by its name"),
  reach("relative", "unix socket by a relative name"),
  reach("dots", "unix socket by a name with . and doubled slashes", {
    command: ({ program, dir }) => [program("unix_connect"), "name", join(dir, "/").concat(".//engine.sock")],
  }),
  reach("parent", "unix socket by a name with ..", {
    command: ({ program, dir }) => [program("unix_connect"), "name", `${dir}/../unix-parent/engine.sock`],
    expected: [MASKED, HOOKED, AFTER],
  }),
  reach("symlink", "unix socket by a symbolic link", {
    prepare: async (place) => {
      await listen(place);
      await symlink("engine.sock", join(place.dir, "link"));
    },
    command: ({ program, dir }) => [program("unix_connect"), "name", join(dir, "link")],
    expected: [MASKED, HOOKED, AFTER],
  }),
  reach("hard-link", "unix socket by a hard link from before the session", {
    prepare: async (place) => {
      await listen(place);
      await link(join(place.dir, "engine.sock"), join(place.dir, "other"));
    },
    command: ({ program, dir }) => [program("unix_connect"), "name", join(dir, "other")],
    expected: [HOOKED, AFTER],
  }),
  reachAbstract("", "abstract unix socket", {
    names: { rule: `@${ABSTRACT}`, socket: ABSTRACT },
    expected: [NAMED, SCOPED, HOOKED, AFTER],
  }),
  reachAbstract("base", "abstract unix socket by a rule about base names", {
    names: { rule: `**/${ABSTRACT}`, socket: `dir/${ABSTRACT}` },
    expected: [NAMED, SCOPED, HOOKED, AFTER],
  }),
  reachAbstract("extension", "abstract unix socket by a rule about extensions", {
    names: { rule: `**/*.${ABSTRACT}`, socket: `dir/x.${ABSTRACT}` },
    expected: [SCOPED, HOOKED, AFTER],
  }),
  reachLater("name", "unix socket by its name"),
  reachLater("relative", "unix socket by a relative name"),
  reachLater("symlink", "unix socket by a symbolic link", { expected: [HOOKED, AFTER] }),
  reach("datagram", "datagram to a unix socket without connect", {
    rules: ['action = "unix.connect"\npath = "@DIR@/log.sock"\nverdict = "deny"'],
    prepare: () => Promise.resolve(),
    command: ({ program, dir }) => [program("unix_connect"), "datagram-own", join(dir, "log.sock")],
    expected: [NAMED, HOOKED, { label: "none", mechanism: "none", effect: "may" }],
  }),
];
