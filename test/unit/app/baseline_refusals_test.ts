/** Connections that the ports of a command's baseline explain. */
import { expect, test } from "bun:test";
import { BaselineRefusals } from "../../../lib/app/baseline_refusals.ts";
import type { Action, KernelVerdict } from "../../../lib/core/mod.ts";

const LIMITS = new BaselineRefusals({ masks: [], connect_ports: [443] }, 3, () => undefined);

function verdict(more: object): KernelVerdict | undefined {
  const action: Action = {
    type: "net.connect",
    protocol: "tcp",
    address: "192.0.2.1",
    port: 80,
    result: "EACCES",
    ...more,
  };
  return LIMITS.explain({ time_us: 0, action }).kernel;
}

test("a TCP port that is not listed", () => {
  expect(verdict({})).toMatchObject({ verdict: "deny", effect: "refused", mechanism: "landlock", generation: 3 });
});

test.each([
  [{ port: 443 }],
  [{ result: "ECONNREFUSED" }],
  [{ result: "0" }],
  [{ protocol: "udp" }],
  [{ type: "net.bind" }],
  [{ type: "net.listen" }],
])("nothing explains %j", (more) => {
  expect(verdict(more)).toBeUndefined();
});

test("without masks and ports there is nothing to explain", () => {
  expect(LIMITS.empty).toBe(false);
  expect(new BaselineRefusals({ masks: [] }, 1, () => undefined).empty).toBe(true);
});
