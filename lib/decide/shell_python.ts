/** Commands that a piece of Python starts, where they are written out in it. The piece itself stays opaque. */

const CALL = new RegExp(
  String.raw`\b(?:os\s*\.\s*(?:system|popen)|` +
    String.raw`subprocess\s*\.\s*(?:run|call|check_call|check_output|Popen|getoutput|getstatusoutput))\s*\(\s*`,
  "g",
);
/** Calls looked at in one piece of code, and elements of one list. */
const CALLS_MAX = 64;
const ELEMENTS_MAX = 256;

/**
 * Shell scripts (as texts) and argument lists that the code hands to `os` and `subprocess`, as far as they are literal.
 */
export function pythonCommands(code: string): readonly (string | readonly string[])[] {
  const found: (string | readonly string[])[] = [];
  const calls = new RegExp(CALL);
  for (let match = calls.exec(code); match !== null && found.length < CALLS_MAX; match = calls.exec(code)) {
    const at = calls.lastIndex;
    const opening = code.charAt(at);
    if (opening === "[" || opening === "(") {
      const list = stringList(code, at + 1);
      if (list.length > 0) found.push(list);
    } else {
      const text = stringAt(code, at);
      if (text !== undefined) found.push(text.value);
    }
  }
  return found;
}

function stringList(code: string, start: number): readonly string[] {
  const list: string[] = [];
  let at = start;
  while (list.length < ELEMENTS_MAX) {
    while (/[\s,]/.test(code.charAt(at))) at++;
    const text = stringAt(code, at);
    if (text === undefined) return list;
    list.push(text.value);
    at = text.end;
  }
  return list;
}

/** A literal in single or double quotes. */
function stringAt(code: string, start: number): { readonly value: string; readonly end: number } | undefined {
  const quote = code.charAt(start);
  if (quote !== "'" && quote !== '"') return undefined;
  let value = "";
  for (let at = start + 1; at < code.length; at++) {
    const letter = code.charAt(at);
    if (letter === quote) return { value, end: at + 1 };
    if (letter === "\\") value += code.charAt(++at);
    else value += letter;
  }
  return undefined;
}
