/** The beginning of a file that somebody else may have made as long as they like. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Whole lines from the beginning, at most so many bytes, each byte a character. Throws what the file system says. */
export function readBegin(path: string, bytes_max: number): string {
  const fd = openSync(path, "r");
  try {
    const size = fstatSync(fd).size;
    const bytes = Buffer.alloc(Math.min(size, bytes_max));
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    const end = size > bytes_max ? bytes.lastIndexOf(10) : length;
    return bytes.toString("latin1", 0, Math.max(0, end));
  } finally {
    closeSync(fd);
  }
}
