/** Lines of a guest's output that begin with this tell how far it is. */
export const PROGRESS = "progress: ";

/** What a guest says of one test file. */
export interface FileResult {
  readonly file: string;
  readonly code: number;
  /** The JUnit document; empty where the file could not be loaded. */
  readonly junit: string;
  /** The printed counts. */
  readonly summary: string;
  /** What was printed, if something failed. */
  readonly output: string;
  readonly seconds: number;
}

/** True for what `kernel_tests.ts` writes. */
export function isFileResult(value: unknown): value is FileResult {
  return typeof value === "object" && value !== null && "junit" in value && "file" in value && "code" in value;
}
