/** What is due, and when. */
import { expect, test } from "bun:test";
import { Pace } from "../../../lib/app/pace.ts";

test("due at once, then not before the time has passed since", () => {
  const pace = new Pace(100);
  expect([0, 0, 100, 101, 150, 201, 202, 10_000, 10_100].map((now_us) => pace.due(now_us))).toEqual([
    true,
    false,
    false,
    true,
    false,
    false,
    true,
    true,
    false,
  ]);
});
