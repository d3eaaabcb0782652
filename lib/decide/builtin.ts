/** The policy that applies when none is named: everything is seen, nothing is refused. */
import type { PolicySource } from "./toml.ts";

const TEXT = `# Built in: used where no --policy is given.
version = 1
name = "built-in"
mode = "observe"

[default]
"*" = "allow"

[guard]
on_failure = "open"
on_loss = "record"
`;

/** Observe everything. */
export const BUILTIN_POLICY: PolicySource = Object.freeze({
  file: "<built-in>",
  bytes: new TextEncoder().encode(TEXT),
});
