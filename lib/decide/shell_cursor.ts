/** A place in the text of a shell script, with the bound on nesting and the word that something was not understood. */

/** Parentheses, substitutions and here-documents within each other. */
const NESTING_MAX = 32;

/** Characters that end a word (POSIX.1-2024, 2.3). */
export const META = " \t\n;&|()<>";

/** Moves forward over one text. */
export class ShellCursor {
  readonly text: string;
  at = 0;
  complete = true;
  #depth: number;

  /** `depth` of the nesting that the text stands in. */
  constructor(text: string, depth: number) {
    this.text = text;
    this.#depth = depth;
  }

  /** How deep the cursor is now. */
  get depth(): number {
    return this.#depth;
  }

  /** True at the end of the text. */
  get done(): boolean {
    return this.at >= this.text.length;
  }

  /** The character here, or one further on; empty beyond the end. */
  char(offset: number = 0): string {
    return this.text.charAt(this.at + offset);
  }

  /** Goes one level down; too deep ends the reading. */
  enter(): void {
    if (++this.#depth <= NESTING_MAX) return;
    this.complete = false;
    this.at = this.text.length;
  }

  /** Comes back up. */
  leave(): void {
    this.#depth--;
  }

  /** Moves past white space and line ends. */
  skipBlank(): void {
    while (!this.done && " \t\n".includes(this.char())) this.at++;
  }

  /** Moves to the end of the line. */
  skipLine(): void {
    const end = this.text.indexOf("\n", this.at);
    this.at = end < 0 ? this.text.length : end;
  }
}
