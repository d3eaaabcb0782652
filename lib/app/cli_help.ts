/** The texts of the help: what each command is for, examples, exit codes. */

import { POLICY_HELP, type PolicyHelpPath } from "./command_policy_help.ts";

import { APPROVALS_HELP, type ApprovalsHelpPath } from "./command_approvals_help.ts";

import { AUDIT_HELP, type AuditHelpPath } from "./command_audit_help.ts";

/** Purpose of a command, and what follows its list of options. */
export interface HelpText {
  readonly purpose: string;
  readonly after: string;
}

const CLIENT_EXIT = `
Exit codes:
  0  done
  1  no guard answers, or it refused
  2  wrong usage`;

/** Path of a command with help. */
export type HelpPath =
  | PolicyHelpPath
  | ""
  | "run"
  | "doctor"
  | "status"
  | "events"
  | "trace"
  | "sessions"
  | "sessions list"
  | "sessions show"
  | "sessions kill"
  | "sessions pause"
  | "sessions resume"
  | ApprovalsHelpPath
  | AuditHelpPath
  | "policy"
  | "policy check"
  | "version"
  | "help"
  | "completions";

/** By command path; the empty path is the program itself. */
export const HELP: Readonly<Record<HelpPath, HelpText>> = {
  "": {
    purpose: `Guards AI agents on Linux: sees what their processes really do, decides each action against one policy,
refuses what the policy forbids, and keeps a record that can be checked.

With a command after -- it runs that command guarded and ends with its exit code.
Without one it is a daemon in the foreground that guards the agents named by the policy.`,
    after: `
Examples:
  agentguard --policy policy.toml -- claude        guard one command
  agentguard --policy policy.toml                  guard the agents that the policy names
  agentguard --mode observe -- bash build.sh       refuse nothing, only record
  agentguard audit query --verdict deny --since 1h what was denied in the last hour

Exit codes of a guarded run:
  the command's own code, or 128+n after signal n
  2    wrong usage, configuration or policy: nothing was started
  125  the guard itself failed before the command began
  126  the command cannot be executed
  127  the command was not found

Directories: the record is in /var/lib/agentguard for root, else in $XDG_STATE_HOME/agentguard; the control
socket is in /run/agentguard for root, else in $XDG_RUNTIME_DIR/agentguard.`,
  },
  run: {
    purpose: `Runs one command guarded; the word "run" may be left out.

Input, output and signals go to the command untouched; everything of ours is on stderr.
All words after -- belong to the command, options like --help too.`,
    after: `
Examples:
  agentguard run --policy policy.toml -- claude
  agentguard run --quiet -- python3 agent.py --help

Exit codes:
  the command's own code, or 128+n after signal n
  2 wrong usage or policy; 125 the guard failed; 126 the command cannot be executed; 127 it was not found`,
  },
  doctor: {
    purpose: `Tells what this host can observe and enforce: tried, not guessed, with the fix for what is missing.`,
    after: `
Examples:
  agentguard doctor
  agentguard doctor --policy policy.toml --json

Exit codes:
  0  everything that the policy needs can be enforced here
  1  the policy given cannot be enforced here
  2  wrong usage, or the policy has errors`,
  },
  status: {
    purpose: `Tells how the running guard is: sessions, layers, queues, losses, policy.`,
    after: `
Examples:
  agentguard status
  agentguard status --config
  agentguard status --json
${CLIENT_EXIT}`,
  },
  events: {
    purpose: `Prints entries of the running guard, one line each.

A reader that is too slow loses the oldest lines and is told how many; the record keeps everything.`,
    after: `
Examples:
  agentguard events --follow
  agentguard events --follow --type 'net.*' --json
${CLIENT_EXIT}`,
  },
  trace: {
    purpose: `Follows one decision through the record: the action and what decided it, who was asked and what they said,
what the kernel did, and what came of it. Any id on the way leads to all of it.`,
    after: `
Examples:
  agentguard trace 01JABCDEFGHJKMNPQRSTVWXYZ0     id of a decision, an approval or an entry
  agentguard trace 4711 --json                    number of an entry

Exit codes:
  0  done
  1  no entry names the id, or the record cannot be read
  2  wrong usage`,
  },
  sessions: {
    purpose: `Lists, shows and commands the sessions of the running guard.`,
    after: `
Examples:
  agentguard sessions list
  agentguard sessions pause 01JABCDEFGHJKMNPQRSTVWXYZ0`,
  },
  "sessions list": { purpose: `Lists the sessions of the running guard.`, after: CLIENT_EXIT },
  "sessions show": { purpose: `Shows one session.`, after: CLIENT_EXIT },
  "sessions kill": { purpose: `Kills every process of a session.`, after: CLIENT_EXIT },
  "sessions pause": { purpose: `Freezes every process of a session until it is resumed.`, after: CLIENT_EXIT },
  "sessions resume": { purpose: `Lets a paused session go on.`, after: CLIENT_EXIT },
  ...APPROVALS_HELP,
  ...AUDIT_HELP,
  policy: {
    purpose: `Works on policy files. Needs no privileges.`,
    after: `
Example:
  agentguard policy check policy.toml`,
  },
  "policy check": {
    purpose: `Checks policy files, as layers in the order given, and tells for each rule what enforces it.`,
    after: `
Examples:
  agentguard policy check policy.toml
  agentguard policy check base.toml team.toml --json

Exit codes:
  0  the policy can be used
  2  it has errors (file:line:column), a file is missing, or wrong usage`,
  },
  ...POLICY_HELP,
  version: { purpose: `Prints version, commit, runtime and platform.`, after: "" },
  help: { purpose: `Prints the help of a command.`, after: "" },
  completions: {
    purpose: `Prints a completion script for bash, zsh or fish.`,
    after: `
Examples:
  agentguard completions bash > /etc/bash_completion.d/agentguard
  agentguard completions zsh > "\${fpath[1]}/_agentguard"
  agentguard completions fish > ~/.config/fish/completions/agentguard.fish`,
  },
};
