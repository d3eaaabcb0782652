/** The guard's own files in the map of the programs at security hooks. */
import { describe, expect, test } from "bun:test";
import { AgControl, AgLimit, AgObjectKey, AgOwnKind } from "../../../probes/abi.gen.ts";
import { KernelPolicy, type ObjectFinder, type OwnPlaces } from "../../../lib/act/mod.ts";
import { FakeMaps } from "./fake_maps.ts";

/** Every path is an object that is numbered by its length; paths that end with `gone` are none. */
const OBJECTS: ObjectFinder = {
  find: (path) => path.endsWith("gone") ? undefined : { dev: 5, ino: BigInt(path.length) },
  linked: () => [],
};
const OWN: OwnPlaces = { state_dir: "/st", runtime_dir: "/run", policies: ["/p.toml"], program: "/agentguard" };

function kinds(maps: FakeMaps): Readonly<Record<string, number>> {
  const map = maps.get("own_objects");
  return Object.fromEntries(
    map.keys().map((key) => {
      const value = new Uint8Array(4);
      map.lookup(key, value);
      const view = new DataView(key.buffer, key.byteOffset);
      expect([view.getUint32(AgObjectKey.dev, true), view.getUint32(AgObjectKey.slot, true)]).toEqual([5, 0]);
      return [view.getBigUint64(AgObjectKey.ino, true).toString(), value[0] ?? 0];
    }),
  );
}

describe("the guard's own files", () => {
  test("directories are closed, policies and the executable can be read; what is gone is forgotten", () => {
    const maps = new FakeMaps();
    const kernel = new KernelPolicy(maps.get, OBJECTS);
    kernel.protect(OWN, true);
    const { CLOSED, KEPT } = AgOwnKind;
    expect(kinds(maps)).toEqual({ 3: CLOSED, 4: CLOSED, 7: KEPT, 11: KEPT });
    kernel.protect({ ...OWN, policies: ["/new-policy.toml", "/policy-gone"] }, true);
    expect(kinds(maps)).toEqual({ 3: CLOSED, 4: CLOSED, 16: KEPT, 11: KEPT });
  });

  test("standard input, and whatever else is everybody's, is not the guard's", () => {
    const maps = new FakeMaps();
    new KernelPolicy(maps.get, OBJECTS).protect({ ...OWN, policies: ["/dev/stdin", "/proc/self/fd/9"] }, true);
    expect(Object.keys(kinds(maps))).toEqual(["3", "4", "11"]);
  });

  test("cgroups are kept where the policy enforces, and the other fields of the control word stay", () => {
    const maps = new FakeMaps();
    const kernel = new KernelPolicy(maps.get, OBJECTS);
    const word = (): DataView => {
      const value = new Uint8Array(AgControl.SIZE);
      maps.get("control").lookup(new Uint8Array(4), value);
      return new DataView(value.buffer);
    };
    const agents = new Uint8Array(AgControl.SIZE);
    new DataView(agents.buffer).setUint32(AgControl.agents, 1, true);
    maps.get("control").update(new Uint8Array(4), agents);
    kernel.protect(OWN, true);
    expect([word().getUint32(AgControl.keeps_cgroups, true), word().getUint32(AgControl.agents, true)]).toEqual([1, 1]);
    kernel.protect(OWN, false);
    expect(word().getUint32(AgControl.keeps_cgroups, true)).toBe(0);
  });

  test("more than the kernel holds is refused; without security hooks there is nothing to do", () => {
    const maps = new FakeMaps();
    const policies = Array.from({ length: AgLimit.OWN_MAX }, (_, index) => "/".padEnd(index + 20, "x"));
    expect(() => new KernelPolicy(maps.get, OBJECTS).protect({ ...OWN, policies }, true)).toThrow(
      "the kernel holds 64",
    );
    new KernelPolicy(maps.get).protect(OWN, true);
    expect(maps.get("own_objects").keys()).toEqual([]);
  });
});
