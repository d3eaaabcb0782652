/** The watch of policy files: every way in which a file is changed, and nothing else. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PolicyWatch } from "../../../lib/app/policy_watch.ts";
import { silentLog } from "../../../lib/core/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { until } from "../app/support.ts";

class Setup implements Disposable {
  readonly directory: string = realpathSync(mkdtempSync(join(tmpdir(), "agentguard-watch-")));
  readonly warnings: string[] = [];
  changes = 0;
  #watch: PolicyWatch | undefined;

  join(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  write(name: string, text: string): string {
    writeFileSync(this.join(name), text);
    return this.join(name);
  }

  start(...files: readonly string[]): void {
    const log = { ...silentLog, warn: (message: string): void => void this.warnings.push(message) };
    this.#watch = new PolicyWatch(files, () => this.changes++, { log, timers: systemTimers, debounce_ms: 20 });
    this.#watch.start();
  }

  stop(): void {
    this.#watch?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.stop();
    rmSync(this.directory, { recursive: true });
  }
}

describe("a change is seen once", () => {
  test("written in place", async () => {
    using setup = new Setup();
    const file = setup.write("p.toml", "1");
    setup.start(file);
    writeFileSync(file, "2");
    await until(() => setup.changes === 1, "a change");
  });

  test("replaced by a rename, again and again", async () => {
    using setup = new Setup();
    const file = setup.write("p.toml", "1");
    setup.start(file);
    for (let i = 1; i <= 3; i++) {
      renameSync(setup.write("p.toml.new", `version ${i}`), file);
      await until(() => setup.changes === i, "a change");
    }
  });

  test("removed, and there again", async () => {
    using setup = new Setup();
    const file = setup.write("p.toml", "1");
    setup.start(file);
    rmSync(file);
    await until(() => setup.changes === 1, "a change");
    setup.write("p.toml", "1");
    await until(() => setup.changes === 2, "a change");
  });

  test("by a link that leads elsewhere, as in a mounted configuration map", async () => {
    using setup = new Setup();
    for (const name of ["v1", "v2", "v3"]) {
      mkdirSync(setup.join(name));
      setup.write(`${name}/p.toml`, name);
    }
    symlinkSync("v1", setup.join("data"));
    symlinkSync("data/p.toml", setup.join("p.toml"));
    setup.start(setup.join("p.toml"));
    for (const [i, name] of ["v2", "v3"].entries()) {
      symlinkSync(name, setup.join("data.new"));
      renameSync(setup.join("data.new"), setup.join("data"));
      await until(() => setup.changes === i + 1, "a change");
    }
    setup.write("v3/p.toml", "changed behind the link");
    await until(() => setup.changes === 3, "a change");
  });

  test("of any of several files", async () => {
    using setup = new Setup();
    const [a, b] = [setup.write("a.toml", "1"), setup.write("b.toml", "1")];
    setup.start(a, b);
    writeFileSync(b, "2");
    await until(() => setup.changes === 1, "a change");
    writeFileSync(a, "2");
    await until(() => setup.changes === 2, "a change");
  });
});

test("what is no change of content is none: another file, the same bytes again", async () => {
  using setup = new Setup();
  const file = setup.write("p.toml", "1");
  setup.start(file);
  setup.write("other.toml", "1");
  renameSync(setup.write("p.toml.new", "1"), file);
  // The next real change is the first that is told.
  writeFileSync(file, "2");
  await until(() => setup.changes > 0, "a change");
  expect(setup.changes).toBe(1);
});

test("nothing is told after the end, and ending twice is harmless", async () => {
  using ended = new Setup();
  using other = new Setup();
  const [file, sign] = [ended.write("p.toml", "1"), other.write("p.toml", "1")];
  ended.start(file);
  other.start(sign);
  ended.stop();
  ended.stop();
  writeFileSync(file, "2");
  writeFileSync(sign, "2");
  await until(() => other.changes === 1, "a change");
  expect(ended.changes).toBe(0);
});

test("a directory that cannot be watched is said, with what to do", () => {
  using setup = new Setup();
  setup.start(setup.join("none", "p.toml"));
  expect(setup.warnings).toHaveLength(1);
  expect(setup.warnings[0]).toContain("send SIGHUP");
});
