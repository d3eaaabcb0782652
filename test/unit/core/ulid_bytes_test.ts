/** ULIDs in the form that the kernel's maps hold. */
import { expect, test } from "bun:test";
import { decisionIdOf, IdGenerator, systemClock, ulidBytes } from "../../../lib/core/mod.ts";

test.each([
  ["00000000000000000000000001", "00000000000000000000000000000001"],
  ["7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "ffffffffffffffffffffffffffffffff"],
  ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01563e3ab5d3d6764c61efb99302bd5b"],
])("%s is %s", (id, hex) => {
  expect(ulidBytes(id).toHex()).toBe(hex);
  expect(String(decisionIdOf(Uint8Array.fromHex(`ff${hex}`), 1))).toBe(id);
});

test("every id comes back, and no id is none", () => {
  const ids = new IdGenerator(systemClock);
  for (let i = 0; i < 100; i++) {
    const id = ids.decision();
    expect(decisionIdOf(ulidBytes(id), 0)).toBe(id);
  }
  expect(decisionIdOf(new Uint8Array(16), 0)).toBeUndefined();
});
