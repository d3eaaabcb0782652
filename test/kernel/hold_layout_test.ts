/** The offsets that ffi/held_layout.ts gives are those of ffi/native/hold.h. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { CALL, CHANGE, CHANGE_FLAG, EXEC, HOLD, HOLD_FLAG, SOCKET, SOCKET_ACTION } from "../../ffi/held_layout.ts";
import { Compiler, run, TempDir } from "../support/mod.ts";

const HEADER = new URL("../../ffi/native/hold.h", import.meta.url).pathname;

/** `offsetof` for each field; `bytes` is the size. */
function lines(struct: string, fields: Readonly<Record<string, number>>): string {
  return Object.keys(fields).map((field) => {
    const value = field === "bytes" ? `sizeof(struct ${struct})` : `offsetof(struct ${struct}, ${field})`;
    return `printf("${struct}.${field} %zu\\n", ${value});`;
  }).join("\n");
}

test("every offset and flag", async () => {
  await using compiler = await Compiler.create();
  await using dir = await TempDir.create();
  const structs = {
    ag_hold_call: CALL,
    ag_hold_exec: EXEC,
    ag_hold_change: CHANGE,
    ag_hold_socket: SOCKET,
    ag_hold: HOLD,
  };
  const flags = {
    AG_HOLD_SCRIPT: HOLD_FLAG.script,
    AG_HOLD_ARGS_TRUNCATED: HOLD_FLAG.args_truncated,
    AG_HOLD_MEMFD: HOLD_FLAG.memfd,
    AG_HOLD_DELETED: HOLD_FLAG.deleted,
    AG_HOLD_EXISTS: CHANGE_FLAG.exists,
    AG_HOLD_DIRECTORY: CHANGE_FLAG.directory,
    AG_HOLD_NEW_EXISTS: CHANGE_FLAG.new_exists,
    AG_HOLD_UNHASHED: CHANGE_FLAG.unhashed,
    AG_HOLD_CONNECT: SOCKET_ACTION.connect,
    AG_HOLD_SEND: SOCKET_ACTION.send,
  };
  const body = Object.entries(structs).map(([name, fields]) => lines(name, fields)).join("\n") +
    Object.keys(flags).map((name) => `printf("${name} %d\\n", ${name});`).join("\n");
  const source = dir.join("layout.c");
  await writeFile(
    source,
    `#include "${HEADER}"\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n${body}\nreturn 0;\n}\n`,
  );
  const program = await compiler.compile(source, "layout");
  const printed = (await run([program])).stdout;
  const expected = [
    ...Object.entries(structs).flatMap(([name, fields]) =>
      Object.entries(fields).map(([field, value]) => `${name}.${field} ${value}`)
    ),
    ...Object.entries(flags).map(([name, value]) => `${name} ${value}`),
  ];
  expect(printed.trim().split("\n")).toEqual(expected);
});
