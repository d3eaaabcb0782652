/** Help of the commands on policies and recordings. */

/** Paths of these commands. */
export type PolicyHelpPath =
  | "policy explain"
  | "policy test"
  | "policy show"
  | "policy lower"
  | "policy diff"
  | "policy learn"
  | "replay";

/** By command path. */
export const POLICY_HELP: Readonly<Record<PolicyHelpPath, { readonly purpose: string; readonly after: string }>> = {
  "policy explain": {
    purpose: `Tells why a policy decides as it does: the rule with its place, why each other rule about such actions did
not decide, and the nearest change that would allow it. Without --policy the built-in policy answers.`,
    after: `
Examples:
  agentguard policy explain --policy policy.toml --action exec --exe git --argv push --argv --force
  agentguard policy explain --policy policy.toml --action file.read --path ~/.ssh/id_ed25519
  agentguard policy explain --policy policy.toml --action net.connect --host example.com --label secrets-read
  agentguard policy explain --policy new.toml --state DIR 01JABCDEFGHJKMNPQRSTVWXYZ2

Exit codes:
  0  explained, whatever the verdict is
  1  there is no such entry, or the record cannot be read
  2  the policy has errors, or wrong usage`,
  },
  "policy test": {
    purpose: `Runs suites: files that say what a policy must decide. Tells which rules no case touched.`,
    after: `
A suite names its policy, relative to its own directory, and cases; what a session did before is given = [...]:
  policy = "policy.toml"
  [[case]]
  name = "push needs a human"
  action = "exec"
  exe = "git"
  argv = ["push"]
  expect = "ask"
  rule = "push-needs-a-human"

Exit codes:
  0  every case came out as expected
  1  a case did not
  2  a suite or a policy has errors, or wrong usage`,
  },
  "policy show": {
    purpose: `Shows the policy in force: rules of all layers with their origin, defaults, settings.`,
    after: `
Examples:
  agentguard policy show policy.toml
  agentguard policy show base.toml team.toml --json`,
  },
  "policy lower": {
    purpose: `Shows what goes into the kernel: the rules that kernel programs decide by themselves.`,
    after: `
Examples:
  agentguard policy lower policy.toml
  agentguard policy lower policy.toml --json`,
  },
  "policy diff": {
    purpose:
      `Compares two policies: rules and defaults, and with a recording the actions that they decide differently.`,
    after: `
Examples:
  agentguard policy diff old.toml new.toml
  agentguard policy diff old.toml new.toml --recording /var/lib/agentguard`,
  },
  "policy learn": {
    purpose: `Proposes a policy that allows what recordings did and nothing else; it goes to stdout.

Denied and refused actions and paths that hold secrets teach nothing. Every value names its evidence.`,
    after: `
Examples:
  agentguard policy learn /var/lib/agentguard > learnt.toml
  agentguard audit query --session ID --json | agentguard policy learn - --default deny
  agentguard policy learn DIR --class net --class exec

Exit codes:
  0  proposed
  1  a recording cannot be read, or taught nothing
  2  wrong usage`,
  },
  replay: {
    purpose: `Runs a recording against a policy and prints what would be decided differently, then the sums.`,
    after: `
Examples:
  agentguard replay /var/lib/agentguard --policy new.toml
  agentguard audit query --since 1d --json | agentguard replay - --policy new.toml --json

With --json each difference is one line, and the last line is the summary.

Exit codes:
  0  done, whether anything differs or not
  1  the recording cannot be read
  2  the policy has errors, or wrong usage`,
  },
};
