import { describe, expect, test } from "bun:test";
import type { Action } from "../../../lib/core/mod.ts";
import { NameResolver } from "../../../lib/enrich/mod.ts";
import { FakeClock } from "./observed.ts";

/** A file system in which /l is a link to /real, /l/f to /etc/shadow, and /gone does not exist. */
function fileSystem(): { readonly asked: string[]; readonly resolve: (path: string) => string | undefined } {
  const asked: string[] = [];
  const resolve = (path: string): string | undefined => {
    asked.push(path);
    if (path.startsWith("/gone")) return undefined;
    if (path === "/l/f") return "/etc/shadow";
    if (path === "/l/missing") return undefined;
    if (path === "/rootlink") return "/";
    return path === "/l" || path.startsWith("/l/") ? `/real${path.slice(2)}` : path;
  };
  return { asked, resolve };
}

function resolver(): { readonly names: NameResolver; readonly asked: string[]; readonly clock: FakeClock } {
  const clock = new FakeClock();
  const { asked, resolve } = fileSystem();
  return { names: new NameResolver(resolve, clock), asked, clock };
}

describe("one name", () => {
  test.each(["file.delete", "file.mkdir", "file.rmdir", "file.mknod"] as const)(
    "%s: the directory is followed, the name itself is not",
    (type) => {
      const action: Action = { type, path: "/l/f", flags: ["path_truncated", "requested_only"], result: "0" };
      expect(resolver().names.resolve(action, true)).toEqual({
        type,
        path: "/real/f",
        requested_path: "/l/f",
        flags: ["resolved_late", "path_truncated"],
        result: "0",
      });
    },
  );

  test.each(["file.chmod", "file.chown", "file.truncate"] as const)(
    "%s: a final link is followed, as the call did",
    (type) => {
      const action: Action = { type, path: "/l/f", flags: ["requested_only"], result: "0" };
      expect(resolver().names.resolve(action, true)).toMatchObject({ path: "/etc/shadow", flags: ["resolved_late"] });
    },
  );

  test("an lchown is of the link itself", () => {
    const action: Action = { type: "file.chown", path: "/l/f", flags: ["requested_only"], result: "0" };
    expect(resolver().names.resolve(action, false)).toMatchObject({ path: "/real/f", flags: ["resolved_late"] });
  });

  test("what was asked for stays beside what it was resolved to, and is not repeated", () => {
    const { names } = resolver();
    const relative: Action = { type: "file.delete", path: "/l/f", requested_path: "f", result: "0" };
    expect(names.resolve(relative, true)).toMatchObject({ path: "/real/f", requested_path: "f" });
    const direct: Action = { type: "file.delete", path: "/x/f", result: "0" };
    expect(names.resolve(direct, true)).not.toHaveProperty("requested_path");
    const moved: Action = { type: "file.rename", path: "/x/a", new_path: "/l/b", result: "0" };
    expect(names.resolve(moved, true)).toMatchObject({ path: "/x/a", new_path: "/real/b", requested_new_path: "/l/b" });
    expect(names.resolve(moved, true)).not.toHaveProperty("requested_path");
  });

  test("of an object that is gone the directory is followed", () => {
    const action: Action = { type: "file.chmod", path: "/l/missing", flags: ["requested_only"], result: "ENOENT" };
    expect(resolver().names.resolve(action, true)).toMatchObject({ path: "/real/missing", flags: ["resolved_late"] });
  });

  test("a directory that is gone leaves what was asked for, and says so", () => {
    const action: Action = { type: "file.delete", path: "/gone/f", flags: ["requested_only"], result: "0" };
    expect(resolver().names.resolve(action, true)).toBe(action);
  });

  test("a relative name cannot be resolved", () => {
    const { names, asked } = resolver();
    const action: Action = { type: "file.delete", path: "f", flags: ["requested_only"], result: "0" };
    expect(names.resolve(action, true)).toBe(action);
    expect(asked).toEqual([]);
  });

  test.each([["/f", "/f"], ["/", "/"], ["/rootlink/f", "/f"]])("%s is %s", (path, real) => {
    const action: Action = { type: "file.rmdir", path, flags: ["requested_only"], result: "0" };
    expect(resolver().names.resolve(action, true)).toMatchObject({ path: real, flags: ["resolved_late"] });
  });
});

describe("two names", () => {
  test.each(["file.rename", "file.link"] as const)("%s: both directories are followed", (type) => {
    const action: Action = { type, path: "/l/a", new_path: "/x/b", flags: ["requested_only"], result: "0" };
    expect(resolver().names.resolve(action, true)).toMatchObject({
      path: "/real/a",
      new_path: "/x/b",
      flags: ["resolved_late"],
    });
  });

  test.each([["/gone/a", "/l/b"], ["/l/a", "/gone/b"]])("%s to %s: one that is gone leaves both", (path, new_path) => {
    const action: Action = { type: "file.rename", path, new_path, flags: ["requested_only"], result: "0" };
    expect(resolver().names.resolve(action, true)).toBe(action);
  });

  test("a symbolic link's target stays the text that it is", () => {
    const action: Action = {
      type: "file.symlink",
      path: "../l/a",
      new_path: "/l/b",
      flags: ["requested_only"],
      result: "0",
    };
    expect(resolver().names.resolve(action, true)).toMatchObject({ path: "../l/a", new_path: "/real/b" });
  });
});

test("other actions pass unchanged and ask nothing", () => {
  const { names, asked } = resolver();
  const action: Action = { type: "file.read", path: "/l/f", result: "0" };
  expect(names.resolve(action, true)).toBe(action);
  expect(asked).toEqual([]);
});

describe("cache", () => {
  const remove = (path: string): Action => ({ type: "file.delete", path, result: "0" });

  test("a directory is asked for once a second, also one that is gone", () => {
    const { names, asked, clock } = resolver();
    for (let i = 0; i < 10; i++) {
      names.resolve(remove(`/l/${i}`), true);
      names.resolve(remove(`/gone/${i}`), true);
    }
    expect(asked).toEqual(["/l", "/gone"]);
    clock.monotonic_us += 1_000_001;
    names.resolve(remove("/l/x"), true);
    expect(asked).toEqual(["/l", "/gone", "/l"]);
  });

  test("at most 4,096 are remembered: the oldest is forgotten", () => {
    const { names, asked } = resolver();
    for (let i = 0; i <= 4096; i++) names.resolve(remove(`/d${i}/f`), true);
    asked.length = 0;
    names.resolve(remove("/d4096/f"), true);
    names.resolve(remove("/d1/f"), true);
    expect(asked).toEqual([]);
    names.resolve(remove("/d0/f"), true);
    expect(asked).toEqual(["/d0"]);
  });
});
