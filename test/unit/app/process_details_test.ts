/** Groups of processes, from proc(5). */
import { expect, test } from "bun:test";
import { groupIds, processGroups } from "../../../lib/app/process_details.ts";

test("the effective group and the supplementary ones, each once", () => {
  expect(groupIds("Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t10\t20\t30\t40\nGroups:\t20 5 6 \n")).toEqual([20, 5, 6]);
  expect(groupIds("Gid:\t0\t0\t0\t0\nGroups:\t \n")).toEqual([0]);
  expect(groupIds("")).toEqual([]);
});

test("this process is in the group of its id; one that is not there is in none", () => {
  if (process.getegid?.() === 0) expect(processGroups(process.pid)).toContain("root");
  else expect(processGroups(process.pid)).toBeArray();
  expect(processGroups(4_194_305)).toEqual([]);
});
