/** What the launcher is told to hide and to keep, on a made host. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BaselineContext, cgroup2Mounts, planBaseline, type PlannedBaseline } from "../../../lib/act/mod.ts";
import { servicePaths } from "../../../lib/act/services.ts";
import { BASELINE_PARTS, type BaselineSettings, SERVICES } from "../../../lib/core/mod.ts";

let root = "";
let work = "";
let server: Server;

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "ag-plan-")));
  work = join(root, "home", "work");
  for (const name of ["state", "run", "home/work", "xdg/systemd"]) mkdirSync(join(root, name), { recursive: true });
  for (const file of ["policy.toml", "program", "docker.sock", "xdg/bus", "agent.1", "xdg/systemd/private"]) {
    writeFileSync(join(root, file), "");
  }
  symlinkSync(join(root, "state"), join(root, "link"));
  server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, "listening"), resolve));
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

const SETTINGS: BaselineSettings = { parts: BASELINE_PARTS, services: SERVICES, capabilities: [] };

function context(more: Partial<BaselineContext> = {}): BaselineContext {
  return {
    own: {
      state_dir: join(root, "link"),
      runtime_dir: join(root, "run"),
      policies: [join(root, "policy.toml")],
      program: join(root, "program"),
    },
    cwd: work,
    home: join(root, "home"),
    env: {},
    ...more,
  };
}

describe("the plan", () => {
  test("own directories are hidden, policy, program and cgroups are kept; links are followed", () => {
    const { places } = planBaseline(SETTINGS, context());
    const paths = (kind: string): readonly string[] =>
      places.filter((each) => each.kind === kind).map(({ path }) => path);
    expect(paths("hide")).toEqual([join(root, "state"), join(root, "run")]);
    const kept = [join(root, "policy.toml"), join(root, "program"), ...cgroup2Mounts()];
    expect(paths("read_only").slice(0, kept.length)).toEqual(kept);
    // Every directory above belongs to the work, or is everybody's.
    expect(paths("pin")).toEqual([]);
  });

  test("directories above are pinned from the outside in, unless they are worked in", () => {
    const { places } = planBaseline(SETTINGS, context({ cwd: "/", home: undefined }));
    expect(places.filter(({ kind }) => kind === "pin").map(({ path }) => path)).toEqual([root]);
    expect(places.findIndex(({ kind }) => kind === "hide")).toBeGreaterThan(
      places.findLastIndex(({ kind }) => kind === "read_only"),
    );
  });

  test("without mounts there are no places; capabilities are bits", () => {
    const plan = planBaseline({ ...SETTINGS, parts: ["privileges"], capabilities: ["net_raw"] }, context());
    expect(plan).toEqual({
      masks: [],
      left: [],
      allowed: {},
      derived: [],
      parts: ["privileges"],
      places: [],
      capabilities: 0x200004fbn | (1n << 13n),
    });
  });

  test("lists that rules come to: what is not there yet is allowed above, everything is no list", () => {
    const plan = (write_trees: readonly string[], more: Partial<BaselineSettings> = {}): PlannedBaseline =>
      planBaseline({ ...SETTINGS, ...more }, context({ allowed: { write_trees, connect_ports: [443] } }));
    const found = plan([join(root, "home", "new", "deep"), work]);
    expect(found.allowed).toEqual({ write_trees: [join(root, "home"), work], connect_ports: [443] });
    expect(found.derived).toEqual(["trees", "ports"]);
    expect(found.parts).toEqual([...BASELINE_PARTS, "trees", "ports"]);
    expect(found.ports).toEqual({ connect: [443] });
    expect(found.places.filter(({ kind }) => kind === "write").map(({ path }) => path)).toEqual(
      [join(root, "home"), work, "/dev/shm"],
    );
    expect(plan(["/ag-nowhere/x"]).allowed).toEqual({ connect_ports: [443] });
    const listed = plan([work], { parts: [...BASELINE_PARTS, "trees"], write_trees: ["/srv"] });
    expect(listed.allowed.write_trees).toEqual(["/srv"]);
    expect(listed.derived).toEqual(["ports"]);
    expect(plan([work], { parts: ["mounts"] }).derived).toEqual([]);
  });

  test("a record in the command's way is refused", () => {
    for (const cwd of [join(root, "state"), join(root, "run", "below")]) {
      mkdirSync(cwd, { recursive: true });
      expect(() => planBaseline(SETTINGS, context({ cwd }))).toThrow("choose other directories");
    }
    const own = { ...context().own, state_dir: "/" };
    expect(() => planBaseline(SETTINGS, context({ own }))).toThrow("choose other directories");
    expect(() => planBaseline({ ...SETTINGS, parts: [] }, context({ own }))).not.toThrow();
  });
});

describe("services", () => {
  test("are found by the environment, in each of its forms", () => {
    const docker = join(root, "docker.sock"), bus = join(root, "xdg", "bus");
    const found = (name: "docker" | "dbus" | "ssh-agent" | "tmux", env: Record<string, string>): readonly string[] =>
      servicePaths(name, { home: undefined, env }).hide.filter((path) => path.startsWith(root));
    expect(found("docker", { DOCKER_HOST: `unix://${docker}` })).toEqual([docker]);
    expect(found("docker", { DOCKER_HOST: "tcp://127.0.0.1:2375" })).toEqual([]);
    expect(found("dbus", { DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus},guid=1` })).toEqual([bus]);
    expect(found("dbus", { XDG_RUNTIME_DIR: join(root, "xdg") })).toEqual([bus]);
    expect(found("ssh-agent", { SSH_AUTH_SOCK: join(root, "agent.1") })).toEqual([join(root, "agent.1")]);
    expect(found("ssh-agent", { SSH_AUTH_SOCK: join(root, "none") })).toEqual([]);
    expect(found("tmux", { TMUX: `${join(root, "listening")},12,0` })).toEqual([join(root, "listening")]);
  });

  test("what the policy leaves reachable is not hidden", () => {
    const env = { XDG_RUNTIME_DIR: join(root, "xdg"), DOCKER_HOST: `unix://${join(root, "docker.sock")}` };
    const hidden = (services: BaselineSettings["services"]): readonly string[] =>
      planBaseline({ ...SETTINGS, services }, context({ env })).places.flatMap(({ kind, path }) =>
        kind === "hide" && path.startsWith(root) ? [path.slice(root.length)] : []
      );
    expect(hidden(SERVICES)).toEqual(["/state", "/run"]);
    expect(hidden(["ssh-agent"]).toSorted()).toEqual(
      ["/docker.sock", "/run", "/state", "/xdg/bus", "/xdg/systemd/private"],
    );
    expect(hidden(["docker", "systemd"]).toSorted()).toEqual(["/run", "/state", "/xdg/bus"]);
  });

  test("what gives addresses their names is kept as it is where rules ask for names, and only there", () => {
    const kept = (names: boolean, services: BaselineSettings["services"] = []): boolean =>
      planBaseline({ ...SETTINGS, services }, { ...context(), names }).places.some(({ kind, path }) =>
        kind === "read_only" && path === realpathSync("/etc/hosts")
      );
    expect(kept(true)).toBe(true);
    expect(kept(false)).toBe(false);
    expect(kept(true, ["names"])).toBe(false);
  });
});
