/** Checkpoints in a file elsewhere: appended, synced, and read again at the next start. */
import * as fs from "node:fs";
import { AgentguardError, errorMessage } from "../core/mod.ts";
import type { Anchor, AnchorNote } from "./anchor_types.ts";
import { notesIn } from "./known_notes.ts";

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_RDONLY } = fs.constants;
const FILE_MODE = 0o600;
/** Of a file that is read: its end, which holds the newest checkpoints. */
const TAIL_BYTES = 1_048_576;

/** A file to which each checkpoint is appended, an empty line after it. */
export class FileAnchor implements Anchor {
  readonly name: string;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.name = `file ${path}`;
  }

  put({ note }: AnchorNote): Promise<string> {
    try {
      appendSynced(this.#path, `${note}\n`);
      return Promise.resolve("");
    } catch (thrown) {
      const message = `append to ${this.#path}: ${errorMessage(thrown)}; name a file that can be written`;
      return Promise.reject(new AgentguardError("io", message, { cause: thrown }));
    }
  }
}

/** The last checkpoints of an anchor file, oldest first, as notes; none where there is no file. Throws `io`. */
export function anchoredNotes(path: string): readonly string[] {
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return [];
    throw new AgentguardError("io", `read the anchor ${path}: ${errorMessage(thrown)}`, { cause: thrown });
  }
  try {
    const { size } = fs.fstatSync(fd);
    const bytes = new Uint8Array(Math.min(size, TAIL_BYTES));
    fs.readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    return notesIn(new TextDecoder().decode(bytes));
  } finally {
    fs.closeSync(fd);
  }
}

function appendSynced(path: string, text: string): void {
  const fd = fs.openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
  try {
    if (!fs.fstatSync(fd).isFile()) throw new Error("it is no regular file");
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
