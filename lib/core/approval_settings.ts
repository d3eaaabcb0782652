/** How questions are put to humans, as a policy says it: the `[approval]` table. */

/** Where a secret is. It never stands in a policy. */
export type SecretSource =
  /** A private file (mode 0600 or 0400, owned by the guard's user); its first line counts. */
  | { readonly file: string }
  /** A variable of the guard's environment; the guarded command does not get it. */
  | { readonly env: string };

/** A TCP port of this host on which questions are shown and answered. */
export interface ApprovalListen {
  /** A loopback address. */
  readonly address: string;
  readonly port: number;
  /** What a client must send as `Authorization: Bearer`. */
  readonly token: SecretSource;
  /** Who answers through it, for `approvers` and the record: `token:NAME`. */
  readonly name: string;
}

/** A unix socket beside the control socket, for those who answer questions and nothing else: a group, or a user. */
export type ApprovalSocket =
  /** Members of the group, by name. */
  | { readonly group: string }
  /** One user, by name. */
  | { readonly user: string };

/** Somebody else's server that is told of each question and may answer it. */
export interface ApprovalWebhook {
  /** http or https. */
  readonly url: string;
  /** Key of the signatures, both ways. */
  readonly secret: SecretSource;
  /** Who answers through it, for `approvers` and the record: `webhook:NAME`. */
  readonly name: string;
  /** True: an answer that the server gives, at once or later, counts. False: it is only told. */
  readonly decides: boolean;
}

/** A chat room that is told of each question: an incoming webhook as Slack defined it. */
export interface ApprovalChat {
  /** The address is a secret: whoever has it can write there. */
  readonly url: SecretSource;
}

/** The `[approval]` table. Absent fields were not set. */
export interface ApprovalSettings {
  /** After this an unanswered question is denied, milliseconds. */
  readonly timeout_ms?: number;
  /**
   * The same where nobody is told of the question: no terminal prompt, no `approvals watch` or other stream, no webhook
   * and no chat. 0 denies at once; absent: no difference.
   */
  readonly unattended_ms?: number;
  /** Who may answer: `uid:0`, `user:alice`, `gid:27`, `group:operators`, `token:NAME`, `webhook:NAME`. */
  readonly approvers?: readonly string[];
  /** How many of them must say yes, 1 to 16; one no is enough. */
  readonly quorum?: number;
  /**
   * Whether somebody with the uid of the one who asks may answer from outside of every session. Absent: from a
   * terminal, or where `approvers` names that very user. False: never.
   */
  readonly allow_same_uid?: boolean;
  /** Secret of the one-time codes (RFC 6238) that every yes needs; absent: none. */
  readonly totp?: SecretSource;
  readonly listen?: ApprovalListen;
  readonly socket?: ApprovalSocket;
  readonly webhook?: ApprovalWebhook;
  readonly slack?: ApprovalChat;
}
