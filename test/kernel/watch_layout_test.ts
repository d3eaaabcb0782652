/** The offsets that ffi/watch_layout.ts gives are those of ffi/native/watch.h. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { WATCH_FLAG, WATCH_OPEN } from "../../ffi/watch_layout.ts";
import { Compiler, run, TempDir } from "../support/mod.ts";

const HEADER = new URL("../../ffi/native/watch.h", import.meta.url).pathname;

test("every offset and flag", async () => {
  await using compiler = await Compiler.create();
  await using dir = await TempDir.create();
  const flags = {
    AG_WATCH_DIRECTORY: WATCH_FLAG.directory,
    AG_WATCH_DELETED: WATCH_FLAG.deleted,
    AG_WATCH_FLAGS: WATCH_FLAG.flags,
    AG_WATCH_STARTS: WATCH_FLAG.starts,
  };
  const lines = [
    ...Object.keys(WATCH_OPEN).map((field) => {
      const struct = "struct ag_watch_open";
      const value = field === "bytes" ? `sizeof(${struct})` : `offsetof(${struct}, ${field})`;
      return `printf("${field} %zu\\n", ${value});`;
    }),
    ...Object.keys(flags).map((name) => `printf("${name} %d\\n", ${name});`),
  ];
  const source = dir.join("layout.c");
  await writeFile(
    source,
    `#include "${HEADER}"\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n${
      lines.join("\n")
    }\nreturn 0;\n}\n`,
  );
  const printed = (await run([await compiler.compile(source, "layout")])).stdout;
  const expected = [...Object.entries(WATCH_OPEN), ...Object.entries(flags)].map(([name, value]) => `${name} ${value}`);
  expect(printed.trim().split("\n")).toEqual(expected);
});
