/** What is wrong with a policy file, and where. */

/** A place in a policy file. Lines and columns count from 1; columns count UTF-16 units, as editors do. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One finding. An `error` makes the policy unusable, a `warning` does not. */
export interface Diagnostic extends Position {
  readonly severity: "error" | "warning";
  /** Without a final period. */
  readonly message: string;
  /** What to write instead. */
  readonly suggestion?: string;
}

/** Findings kept of one load: a person reads the first few, and a hostile file must not make millions. */
const DIAGNOSTICS_MAX = 1_000;

/** `file:line:column: error: text (suggestion)`, one line. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, message, suggestion } = diagnostic;
  const tail = suggestion === undefined ? "" : ` (${suggestion})`;
  return oneLine(`${file}:${line}:${column}: ${severity}: ${message}${tail}`);
}

/** Collects the findings of one load, bounded; what exceeds the bound is counted and said at the end. */
export class Diagnostics {
  readonly #found: Diagnostic[] = [];
  #errors = 0;
  #suppressed = 0;

  /** Adds an error. */
  error(at: Position, message: string, suggestion?: string): void {
    this.#errors++;
    this.#add("error", at, message, suggestion);
  }

  /** Adds a warning. */
  warning(at: Position, message: string, suggestion?: string): void {
    this.#add("warning", at, message, suggestion);
  }

  /** True if at least one error was added. */
  get failed(): boolean {
    return this.#errors > 0;
  }

  /** True if further errors are only counted: nobody needs suggestions for them. */
  get full(): boolean {
    return this.#found.length >= DIAGNOSTICS_MAX;
  }

  /** Everything found, in the order of the file. The last element says how many were left out, if any were. */
  list(): readonly Diagnostic[] {
    const files = new Map<string, number>();
    for (const { file } of this.#found) if (!files.has(file)) files.set(file, files.size);
    const rank = (file: string): number => files.get(file) ?? 0;
    const sorted = this.#found.toSorted((a, b) =>
      rank(a.file) - rank(b.file) || a.line - b.line || a.column - b.column
    );
    const last = sorted.at(-1);
    if (this.#suppressed === 0 || last === undefined) return sorted;
    const { file, line, column } = last;
    return [...sorted, {
      file,
      line,
      column,
      severity: "error",
      message: `${this.#suppressed} more findings left out`,
    }];
  }

  #add(severity: "error" | "warning", at: Position, message: string, suggestion: string | undefined): void {
    // Errors are never crowded out by warnings: these stop at half of the bound.
    const bound = severity === "error" ? DIAGNOSTICS_MAX : DIAGNOSTICS_MAX / 2;
    if (this.#found.length >= bound) {
      this.#suppressed++;
      return;
    }
    const { file, line, column } = at;
    this.#found.push({ file, line, column, severity, message, ...(suggestion === undefined ? {} : { suggestion }) });
  }
}

/** Text for a message: quoted, cut, and without control characters. */
export function quote(text: string): string {
  const cut = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return JSON.stringify(cut);
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, " ");
}
