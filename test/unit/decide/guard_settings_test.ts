/** What the `[guard]` table says about the commands that the guard starts. */
import { describe, expect, test } from "bun:test";
import {
  BASELINE_PARTS,
  type BaselineSettings,
  CAPABILITIES,
  CAPABILITIES_KEPT,
  CAPABILITIES_NEVER,
  SERVICES_DEFAULT,
} from "../../../lib/core/mod.ts";
import { formatDiagnostic, loadPolicy } from "../../../lib/decide/mod.ts";

function load(...tables: readonly string[]): BaselineSettings | string {
  const sources = tables.map((table, n) => ({
    file: `p${n}`,
    bytes: new TextEncoder().encode(`version = 1\n[guard]\n${table}\n`),
  }));
  const loaded = loadPolicy(sources, { generation: 1 });
  return loaded.ok ? loaded.value.guard.baseline : loaded.error.map(formatDiagnostic).join("\n");
}

describe("baseline settings", () => {
  test("by default everything is taken, and only agents that sign stay reachable", () => {
    expect(load("")).toEqual({ parts: BASELINE_PARTS, services: SERVICES_DEFAULT, capabilities: [] });
    const loaded = loadPolicy([{ file: "p", bytes: new TextEncoder().encode("version = 1") }], { generation: 1 });
    expect(loaded.ok && loaded.value.guard.baseline.parts).toEqual(BASELINE_PARTS);
  });

  test("each key", () => {
    expect(load('privileges = "sudo"')).toMatchObject({ parts: BASELINE_PARTS.slice(1) });
    expect(load('privileges = "sudo"\nbaseline = "none"')).toMatchObject({ parts: [] });
    expect(load('baseline = "full"')).toMatchObject({ parts: BASELINE_PARTS });
    expect(load('baseline = ["trace", "namespaces"]')).toMatchObject({ parts: ["privileges", "namespaces", "trace"] });
    expect(load('services = "none"')).toMatchObject({ services: [] });
    expect(load('services = ["docker", "dbus"]')).toMatchObject({ services: ["docker", "dbus"] });
    expect(load('capabilities = ["net_raw", "mknod"]')).toMatchObject({ capabilities: ["net_raw", "mknod"] });
  });

  test("a later layer only tightens", () => {
    expect(load('privileges = "sudo"', 'privileges = "drop"')).toMatchObject({ parts: BASELINE_PARTS });
    expect(load('privileges = "sudo"', "")).toMatchObject({ parts: BASELINE_PARTS.slice(1) });
    expect(load("", 'privileges = "sudo"\nbaseline = "none"')).toMatchObject({ parts: BASELINE_PARTS });
    expect(load('baseline = "none"', 'baseline = ["mounts"]')).toMatchObject({ parts: ["privileges", "mounts"] });
    expect(load("", 'services = ["docker", "ssh-agent"]')).toMatchObject({ services: ["ssh-agent"] });
    expect(load('services = ["docker", "tmux"]', 'services = ["tmux"]', "")).toMatchObject({ services: ["tmux"] });
    expect(load("", 'capabilities = ["net_raw"]')).toMatchObject({ capabilities: [] });
    expect(load('capabilities = ["net_raw", "mknod"]', 'capabilities = ["mknod"]')).toMatchObject({
      capabilities: ["mknod"],
    });
  });

  test("what cannot be meant is an error at its place, with a suggestion", () => {
    expect(load('baseline = ["mount"]')).toContain('p0:3:13: error: baseline has "mount"');
    expect(load('baseline = ["mount"]')).toContain("mounts");
    expect(load('baseline = ["privileges"]')).toContain('baseline has "privileges"');
    expect(load('baseline = ["none", "trace"]')).toContain('"none" stands alone');
    expect(load('baseline = ["trace", "trace"]')).toContain('"trace" is named twice');
    expect(load('services = "full"')).toContain('services has "full"');
    expect(load('services = ["dockr"]')).toContain("docker");
    expect(load("services = [1]")).toContain("a number where a string belongs");
    expect(load("services = []")).toContain("empty list");
    expect(load('privileges = "root"')).toContain("not one of drop, sudo");
    expect(load('privileges = "sudo"\ncapabilities = ["net_raw"]')).toContain("all kept");
    expect(load('capability = "net_raw"')).toContain("unknown key");
  });

  test("what is listed is a part; a later layer narrows the lists", () => {
    expect(load('write_trees = ["~/work", "/srv"]\nconnect_ports = [443, 53]\nbind_ports = "none"')).toEqual({
      parts: [...BASELINE_PARTS, "trees", "ports"],
      services: SERVICES_DEFAULT,
      capabilities: [],
      write_trees: ["~/work", "/srv"],
      connect_ports: [443, 53],
      bind_ports: [],
    });
    const narrowed = (a: string, b: string): unknown => {
      const settings = load(a, b);
      return typeof settings === "string" ? settings : settings.write_trees ?? settings.connect_ports;
    };
    expect(narrowed('write_trees = ["/srv", "/a/b"]', 'write_trees = ["/srv/x", "/a", "/c"]')).toEqual([
      "/srv/x",
      "/a/b",
    ]);
    expect(narrowed('write_trees = "/srv"', 'write_trees = "/srvx"')).toEqual([]);
    expect(narrowed('write_trees = "/"', 'write_trees = "/srv"')).toEqual(["/srv"]);
    expect(narrowed("", 'write_trees = "/srv"')).toEqual(["/srv"]);
    expect(narrowed("connect_ports = [1, 2, 3]", "connect_ports = [2, 3, 4]")).toEqual([2, 3]);
    for (const tree of ["srv", "/a/../b", "/a/*", "/a/", "", "~x"]) {
      expect(load(`write_trees = [${JSON.stringify(tree)}]`)).toContain("not a plain absolute path");
    }
    for (const port of ["70000", "-1", '"http"', "1.5"]) {
      expect(load(`connect_ports = [${port}]`)).toContain("a port from 0 to 65535");
    }
  });

  test("no policy can leave a capability that undoes the baseline beside it", () => {
    for (const name of CAPABILITIES_NEVER) {
      expect(load(`capabilities = ["${name}"]`)).toContain("undoes the baseline");
      expect(CAPABILITIES_KEPT).not.toContain(name);
    }
    expect(load('capabilities = ["constructor"]')).toContain("not one of");
    const numbers: readonly number[] = Object.values(CAPABILITIES);
    expect(numbers).toEqual(numbers.map((_, number) => number));
  });
});

describe("resolvers", () => {
  const resolvers = (...tables: readonly string[]): readonly string[] | string | undefined => {
    const sources = tables.map((table, n) => ({
      file: `p${n}`,
      bytes: new TextEncoder().encode(`version = 1\n[guard]\n${table}\n`),
    }));
    const loaded = loadPolicy(sources, { generation: 1 });
    return loaded.ok ? loaded.value.guard.resolvers : loaded.error.map(formatDiagnostic).join("\n");
  };

  test("are those of the host where nobody names some", () => {
    expect(resolvers("")).toBeUndefined();
    expect(resolvers('resolvers = "none"')).toEqual([]);
  });

  test("have one spelling, and a later layer only takes away", () => {
    expect(resolvers('resolvers = ["192.0.2.53", "2001:DB8:0::53", "::ffff:192.0.2.54"]')).toEqual([
      "192.0.2.53",
      "2001:db8::53",
      "192.0.2.54",
    ]);
    const both = 'resolvers = ["192.0.2.53", "2001:db8::53"]';
    expect(resolvers(both, 'resolvers = "2001:DB8::53"', "")).toEqual(["2001:db8::53"]);
    expect(resolvers("", both)).toEqual(["192.0.2.53", "2001:db8::53"]);
    expect(resolvers(both, 'resolvers = "192.0.2.99"')).toEqual([]);
  });

  test("are addresses, and at most 64", () => {
    expect(resolvers('resolvers = ["192.0.2.53", "dns.example"]')).toContain(
      'p0:3:28: error: resolvers has "dns.example", which is no IPv4 or IPv6 address',
    );
    const many = JSON.stringify(Array.from({ length: 65 }, (_, i) => `192.0.2.${i}`));
    expect(resolvers(`resolvers = ${many}`)).toContain("resolvers has over 64 addresses");
  });
});
