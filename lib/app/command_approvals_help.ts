/** The help of `agentguard approvals`. */

/** Paths of these commands. */
export type ApprovalsHelpPath =
  | "approvals"
  | "approvals list"
  | "approvals show"
  | "approvals approve"
  | "approvals deny"
  | "approvals watch"
  | "approvals grants"
  | "approvals grants list"
  | "approvals grants revoke";

const EXIT = `
Exit codes:
  0  done
  1  no guard answers, or it refused: unknown, answered already, not yours to answer
  2  wrong usage`;

/** By command path. */
export const APPROVALS_HELP: Readonly<
  Record<ApprovalsHelpPath, { readonly purpose: string; readonly after: string }>
> = {
  approvals: {
    purpose: `Shows what agents ask for, and answers.

An action that the policy says to ask about is held until somebody answers. When its time is over it is denied.
A process of a guarded session cannot answer, whoever it runs as. The same user may, from another terminal.`,
    after: `
Examples:
  agentguard approvals watch
  agentguard approvals list
  agentguard approvals approve 01JABCDEFGHJKMNPQRSTVWXYZ0
  agentguard approvals approve VWXYZ0 --for session --match 'push *'
  agentguard approvals deny VWXYZ0 --reason 'not on a Friday'`,
  },
  "approvals list": { purpose: `Lists what waits for an answer.`, after: EXIT },
  "approvals show": {
    purpose: `Shows one question whole: what will be done, by whom, why it is asked, what a yes allows.`,
    after: EXIT,
  },
  "approvals approve": {
    purpose: `Says yes: the held action goes on. Exactly this one, unless --for says more.

--for session, 15m or always gives a standing grant: the same action goes on from then on without asking.
--match makes it wider: arguments of the same program ('push *'), a path ('/w/src/**'), HOST:PORT, a tool.
A command with the characters of a shell (; & | \` $( < >) is never answered by a standing grant.`,
    after: `
Examples:
  agentguard approvals approve VWXYZ0
  agentguard approvals approve VWXYZ0 --for 15m
  agentguard approvals approve VWXYZ0 --for always --match 'push origin *' --code 123456
${EXIT}`,
  },
  "approvals deny": { purpose: `Says no: the held action is refused, and the agent is told why.`, after: EXIT },
  "approvals watch": {
    purpose: `Shows questions as they come, and on a terminal asks for an answer to each.`,
    after: EXIT,
  },
  "approvals grants": {
    purpose: `Lists the standing grants, or takes one back.`,
    after: `
Examples:
  agentguard approvals grants list
  agentguard approvals grants revoke 01JABCDEFGHJKMNPQRSTVWXYZ0`,
  },
  "approvals grants list": { purpose: `Lists the standing grants that hold now.`, after: EXIT },
  "approvals grants revoke": {
    purpose: `Takes a standing grant back: the next such action is asked about.`,
    after: EXIT,
  },
};
