/** Other names of places by second mounts. */
import { expect, test } from "bun:test";
import { otherPlaces, parseMounts } from "../../../lib/app/mount_table.ts";

const TEXT = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 8:1 /data /srv/with\\040blank rw - ext4 /dev/sda1 rw
25 22 8:1 /data/deep /deep rw - ext4 /dev/sda1 rw
26 22 8:2 / /other rw - ext4 /dev/sda2 rw
27 22 8:2 /in /mnt rw - ext4 /dev/sda2 rw
`;
const MOUNTS = parseMounts(TEXT);

test("reads points and roots, blanks in octal", () => {
  expect(MOUNTS).toHaveLength(6);
  expect(MOUNTS[2]).toEqual({ dev: "8:1", root: "/data", point: "/srv/with blank" });
});

test.each([
  ["/data", [["/srv/with blank", ""], ["/deep", "/deep"]]],
  ["/data/x", [["/srv/with blank/x", ""]]],
  ["/data/deep/x", [["/srv/with blank/deep/x", ""], ["/deep/x", ""]]],
  ["/srv/with blank/x", [["/data/x", ""]]],
  ["/deep", [["/data/deep", ""], ["/srv/with blank/deep", ""]]],
  ["/other/in/k", [["/mnt/k", ""]]],
  ["/other", [["/mnt", "/in"]]],
  ["/database", []],
  ["/proc/1", []],
])("%s is also %j", (path, expected) => {
  expect(otherPlaces(MOUNTS, path).map(({ path, below }) => [path, below])).toEqual(expected);
});
