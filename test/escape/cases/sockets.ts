/** Ways to reach a unix socket that a rule forbids, such as that of a container engine. */
import { symlink } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type EscapeCase, type Expectation, type Place, saidOk } from "../harness/mod.ts";

/** What is there when the session begins is hidden from it, under whatever name it is asked for. */
const MASKED: Expectation = { needs: ["baseline.mounts"], label: "prevented", mechanism: "mounts" };
const HOOKED: Expectation = { needs: ["probes.lsm"], label: "prevented", mechanism: "lsm" };
const AFTER: Expectation = { label: "killed_after_effect", mechanism: "signal", effect: "may" };

/** A listener outside of the guarded tree; it does not keep the suite from ending. */
function listen({ dir }: Place): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer((peer) => peer.end());
  server.once("error", reject);
  server.listen(join(dir, "engine.sock"), () => resolve(server.unref()));
  return promise;
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
    expected: [MASKED, HOOKED, AFTER],
    ...more,
  };
}

/** Attempts to connect. */
export const SOCKETS: readonly EscapeCase[] = [
  reach("name", "unix socket by its name"),
  reach("relative", "unix socket by a relative name", {
    expected: [{ ...MASKED, label: "none" }, HOOKED, { label: "none", mechanism: "none", effect: "may" }],
  }),
  reach("symlink", "unix socket by a symbolic link", {
    prepare: async (place) => {
      await listen(place);
      await symlink("engine.sock", join(place.dir, "link"));
    },
    command: ({ program, dir }) => [program("unix_connect"), "name", join(dir, "link")],
    expected: [MASKED, HOOKED, { label: "none", mechanism: "none", effect: "may" }],
  }),
];
