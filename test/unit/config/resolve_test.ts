import { describe, expect, test } from "bun:test";
import { CONFIG_KEYS, type ConfigInput, type ConfigKey, nearest, resolveConfig } from "../../../lib/config/mod.ts";

const BASE: ConfigInput = { flags: {}, env: { HOME: "/home/u" }, uid: 1000, cwd: "/work" };

function resolved(input: Partial<ConfigInput>) {
  const result = resolveConfig({ ...BASE, ...input });
  if (!result.ok) throw new Error(result.error.map((problem) => problem.message).join("\n"));
  return result.value;
}

function problems(input: Partial<ConfigInput>): readonly string[] {
  const result = resolveConfig({ ...BASE, ...input });
  return result.ok ? [] : result.error.map((problem) => problem.message);
}

describe("defaults", () => {
  const cases: readonly (readonly [string, Partial<ConfigInput>, string, string])[] = [
    ["nothing is set", { env: {} }, "/var/lib/agentguard", "/var/lib/agentguard/run"],
    ["a relative HOME is ignored", { env: { HOME: "h" } }, "/var/lib/agentguard", "/var/lib/agentguard/run"],
    ["root", { uid: 0, env: {} }, "/var/lib/agentguard", "/run/agentguard"],
    [
      "root ignores XDG",
      { uid: 0, env: { XDG_STATE_HOME: "/x", XDG_RUNTIME_DIR: "/y" } },
      "/var/lib/agentguard",
      "/run/agentguard",
    ],
    ["home", {}, "/home/u/.local/state/agentguard", "/home/u/.local/state/agentguard/run"],
    [
      "XDG",
      { env: { XDG_STATE_HOME: "/s/", XDG_RUNTIME_DIR: "/run/user/1000" } },
      "/s/agentguard",
      "/run/user/1000/agentguard",
    ],
    [
      "relative XDG is ignored",
      { env: { HOME: "/h", XDG_STATE_HOME: "s" } },
      "/h/.local/state/agentguard",
      "/h/.local/state/agentguard/run",
    ],
  ];
  test.each([...cases])("%s", (_name, input, state, runtime) => {
    const config = resolved(input);
    expect(config.state_dir.value).toBe(state);
    expect(config.runtime_dir.value).toBe(runtime);
    expect(config.state_dir.origin).toBe("default");
  });

  test("everything else", () => {
    const config = resolved({});
    expect(config.mode).toMatchObject({ value: null, origin: "default" });
    expect(config.quiet.value).toBe(false);
    expect(config.json.value).toBe(false);
    expect(config.log_level.value).toBe("info");
    expect(config.http_port.value).toBeNull();
  });

  test("a default runtime directory that no socket fits into is an error", () => {
    const found = problems({ env: { HOME: `/home/${"u".repeat(90)}` } });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain("give --runtime DIR");
  });
});

describe("precedence", () => {
  const values = { state_dir: "/p", runtime_dir: "/pr", quiet: true, json: true, log_level: "warn", http_port: 3 };
  const table = { file: "a.toml", values };
  const env = {
    HOME: "/h",
    AGENTGUARD_STATE: "/e",
    AGENTGUARD_RUNTIME: "/er",
    AGENTGUARD_MODE: "observe",
    AGENTGUARD_QUIET: "no",
    AGENTGUARD_JSON: "0",
    AGENTGUARD_LOG_LEVEL: "error",
    AGENTGUARD_HTTP_PORT: "2",
  };
  const flags = {
    state_dir: "/f",
    runtime_dir: "/fr",
    mode: "enforce",
    quiet: true,
    json: true,
    log_level: "debug",
    http_port: "1",
  };
  const expected: readonly (readonly [ConfigKey, unknown, unknown, unknown])[] = [
    ["state_dir", "/f", "/e", "/p"],
    ["runtime_dir", "/fr", "/er", "/pr"],
    ["quiet", true, false, true],
    ["json", true, false, true],
    ["log_level", "debug", "error", "warn"],
    ["http_port", 1, 2, 3],
  ];
  test.each([...expected])("%s: flag, then env, then policy", (key, flag, variable, policy) => {
    expect(resolved({ flags, env, tables: [table] })[key]).toMatchObject({ value: flag, origin: "flag" });
    expect(resolved({ env, tables: [table] })[key]).toMatchObject({ value: variable, origin: "env" });
    expect(resolved({ tables: [table] })[key]).toMatchObject({ value: policy, origin: "policy", from: "a.toml" });
  });

  test("mode", () => {
    expect(resolved({ flags, env }).mode).toEqual({ value: "enforce", origin: "flag", from: "--mode" });
    expect(resolved({ env }).mode).toEqual({ value: "observe", origin: "env", from: "AGENTGUARD_MODE" });
  });

  test("a later policy layer wins", () => {
    const later = { file: "b.toml", values: { log_level: "debug" } };
    expect(resolved({ tables: [table, later] }).log_level).toMatchObject({ value: "debug", from: "b.toml" });
    expect(resolved({ tables: [table, later] }).state_dir).toMatchObject({ value: "/p", from: "a.toml" });
  });

  test("an empty variable is unset", () => {
    expect(resolved({ env: { HOME: "/h", AGENTGUARD_STATE: "" } }).state_dir.origin).toBe("default");
  });
});

describe("directories", () => {
  test("relative ones are below the working directory and normal", () => {
    expect(resolved({ flags: { state_dir: "./a/../b/" } }).state_dir.value).toBe("/work/b");
    expect(resolved({ env: { AGENTGUARD_STATE: "s", HOME: "/h" } }).state_dir.value).toBe("/work/s");
  });

  test("relative in a policy is an error", () => {
    expect(problems({ tables: [{ file: "p.toml", values: { state_dir: "s" } }] })[0]).toBe(
      `p.toml: state_dir: use an absolute directory, not "s"`,
    );
  });
});

describe("bad values", () => {
  const cases: readonly (readonly [Partial<ConfigInput>, string])[] = [
    [{ flags: { mode: "strict" } }, `--mode: use enforce or observe, not "strict"`],
    [{ flags: { log_level: "loud" } }, `--log-level: use debug or info or warn or error, not "loud"`],
    [{ flags: { http_port: "0" } }, `--http-port: use a port from 1 to 65535, not "0"`],
    [{ flags: { http_port: "65536" } }, `--http-port: use a port from 1 to 65535, not "65536"`],
    [{ flags: { http_port: "1e3" } }, `--http-port: use a port from 1 to 65535, not "1e3"`],
    [{ flags: { state_dir: "" } }, `--state: use a directory, not ""`],
    [{ flags: { state_dir: "a\0b" } }, "--state: use a directory without a NUL byte"],
    [{ flags: { runtime_dir: `/${"r".repeat(80)}` } }, "--runtime: use a directory of at most 80 bytes, not 81"],
    [{ env: { HOME: "/h", AGENTGUARD_QUIET: "maybe" } }, `AGENTGUARD_QUIET: use true or false, not "maybe"`],
    [
      { tables: [{ file: "p.toml", values: { http_port: 80.5 } }] },
      "p.toml: http_port: use a port from 1 to 65535, not 80.5",
    ],
    [{ tables: [{ file: "p.toml", values: { state_dir: 3 } }] }, "p.toml: state_dir: use a directory, not 3"],
  ];
  test.each([...cases])("%j", (input, message) => {
    expect(problems(input)).toEqual([message]);
  });

  test("the longest runtime directory is accepted", () => {
    expect(resolved({ flags: { runtime_dir: `/${"r".repeat(79)}` } }).runtime_dir.value).toHaveLength(80);
  });

  test("all problems come together", () => {
    expect(problems({ flags: { mode: "x", http_port: "x", log_level: "x" } })).toHaveLength(3);
  });

  test("a long value is cut in its message", () => {
    expect((problems({ flags: { mode: "m".repeat(10_000) } })[0] ?? "").length).toBeLessThan(120);
  });
});

describe("unknown keys of [config]", () => {
  test("near one: suggestion and place", () => {
    const table = { file: "p.toml", values: { state_dri: "/x" }, locate: () => ({ line: 4, column: 2 }) };
    expect(problems({ tables: [table] })).toEqual([
      `p.toml:4:2: remove unknown key "state_dri" from [config]; did you mean "state_dir"?`,
    ]);
  });

  test("far one: the known keys", () => {
    const found = problems({ tables: [{ file: "p.toml", values: { colour: 1 } }] })[0] ?? "";
    for (const key of CONFIG_KEYS) expect(found.includes(key)).toBe(key !== "mode");
  });

  test("mode belongs elsewhere", () => {
    expect(problems({ tables: [{ file: "p.toml", values: { mode: "observe" } }] })[0]).toContain("at the top level");
  });

  test("a key of the object prototype is unknown too", () => {
    const values = JSON.parse(`{"__proto__": 1, "constructor": 2}`);
    expect(problems({ tables: [{ file: "p.toml", values }] })).toHaveLength(2);
  });
});

describe("nearest", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["stauts", "status"],
    ["stats", "status"],
    ["STATUS", "status"],
    ["evnets", "events"],
    ["zzz", undefined],
    ["", undefined],
    ["s".repeat(1000), undefined],
  ];
  test.each([...cases])("%p", (name, expected) => {
    expect(nearest(name, ["status", "events"])).toBe(expected);
  });
});
