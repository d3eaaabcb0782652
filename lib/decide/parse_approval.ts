/** The `[approval]` table: who answers questions, how, and where they are told of them. */
import {
  type ApprovalListen,
  type ApprovalSettings,
  type ApprovalSocket,
  type ApprovalWebhook,
  parseIpv4,
  type SecretSource,
} from "../core/mod.ts";
import { quote } from "./diagnostic.ts";
import { DURATION_HINT, parseDuration } from "./duration.ts";
import { type TableReader, typeName } from "./reader.ts";

const KEYS = [
  "timeout",
  "unattended",
  "approvers",
  "quorum",
  "allow_same_uid",
  "totp",
  "listen",
  "socket",
  "webhook",
  "slack",
];
/** More would not fit into one meeting. */
const QUORUM_MAX = 16;
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const APPROVER = /^(?:(?:uid|gid):\d{1,10}|(?:user|group|token|webhook):[A-Za-z0-9._-]{1,64})$/;
const APPROVER_HINT = 'write "uid:0", "user:alice", "gid:27", "group:operators", "token:NAME" or "webhook:NAME"';
const SECRET_HINT = 'write { file = "/path" } or { env = "NAME" }: secrets do not stand in a policy';

/** Reads the table. */
export function parseApproval(reader: TableReader | undefined): ApprovalSettings {
  if (reader === undefined) return {};
  reader.refuseUnknown(KEYS);
  const timeout_ms = readDuration(reader, "timeout");
  const unattended_ms = readUnattended(reader);
  const approvers = reader.has("approvers") ? reader.strings("approvers") : undefined;
  for (const { value, position } of approvers ?? []) {
    if (APPROVER.test(value)) continue;
    reader.context.diagnostics.error(position, `approver ${quote(value)} names nobody`, APPROVER_HINT);
  }
  const quorum = reader.integer("quorum", { min: 1, max: QUORUM_MAX });
  const allow_same_uid = readFlag(reader, "allow_same_uid");
  const totp = readSecret(reader, "totp");
  const listen = parseListen(reader.child("listen"));
  const socket = parseSocket(reader.child("socket"));
  const webhook = parseWebhook(reader.child("webhook"));
  const slack = parseSlack(reader.child("slack"));
  return {
    ...(timeout_ms === undefined ? {} : { timeout_ms }),
    ...(unattended_ms === undefined ? {} : { unattended_ms }),
    ...(approvers === undefined ? {} : { approvers: approvers.map(({ value }) => value) }),
    ...(quorum === undefined ? {} : { quorum }),
    ...(allow_same_uid === undefined ? {} : { allow_same_uid }),
    ...(totp === undefined ? {} : { totp }),
    ...(listen === undefined ? {} : { listen }),
    ...(socket === undefined ? {} : { socket }),
    ...(webhook === undefined ? {} : { webhook }),
    ...(slack === undefined ? {} : { slack }),
  };
}

/**
 * The tables of all layers as one, so that a later one only tightens: the shortest timeouts, the greatest quorum, those
 * approvers on whom every layer that names some agrees, a same uid only where nobody forbids it. What opens another way
 * to answer (a port, a socket, a webhook), or is a secret, is that of the first layer which has it.
 */
export function mergeApproval(layers: readonly ApprovalSettings[]): ApprovalSettings {
  const timeouts = layers.flatMap(({ timeout_ms }) => timeout_ms ?? []);
  const unattended = layers.flatMap(({ unattended_ms }) => unattended_ms ?? []);
  const quorums = layers.flatMap(({ quorum }) => quorum ?? []);
  const lists = layers.flatMap(({ approvers }) => approvers === undefined ? [] : [approvers]);
  const approvers = lists[0]?.filter((who) => lists.every((list) => list.includes(who)));
  const same = layers.flatMap(({ allow_same_uid }) => allow_same_uid ?? []);
  const first = <K extends "totp" | "listen" | "socket" | "webhook" | "slack">(
    key: K,
  ): Pick<ApprovalSettings, K> | undefined => layers.find((layer) => layer[key] !== undefined);
  const [totp, listen, socket, webhook, slack] = [
    first("totp"),
    first("listen"),
    first("socket"),
    first("webhook"),
    first("slack"),
  ];
  return {
    ...(timeouts.length === 0 ? {} : { timeout_ms: Math.min(...timeouts) }),
    ...(unattended.length === 0 ? {} : { unattended_ms: Math.min(...unattended) }),
    ...(approvers === undefined ? {} : { approvers }),
    ...(quorums.length === 0 ? {} : { quorum: Math.max(...quorums) }),
    ...(same.length === 0 ? {} : { allow_same_uid: same.every((allowed) => allowed) }),
    ...(totp?.totp === undefined ? {} : { totp: totp.totp }),
    ...(listen?.listen === undefined ? {} : { listen: listen.listen }),
    ...(socket?.socket === undefined ? {} : { socket: socket.socket }),
    ...(webhook?.webhook === undefined ? {} : { webhook: webhook.webhook }),
    ...(slack?.slack === undefined ? {} : { slack: slack.slack }),
  };
}

function readDuration(reader: TableReader, key: string): number | undefined {
  const text = reader.string(key);
  const duration_ms = text === undefined ? undefined : parseDuration(text);
  if (text !== undefined && duration_ms === undefined) {
    reader.error(key, `${key} ${quote(text)} is not a duration`, DURATION_HINT);
  }
  return duration_ms;
}

/** `"deny"` as 0; `"wait"`, which is the default, as nothing. */
function readUnattended(reader: TableReader): number | undefined {
  const key = "unattended";
  const text = reader.string(key);
  if (text === undefined || text === "wait") return undefined;
  const unattended_ms = text === "deny" ? 0 : parseDuration(text);
  if (unattended_ms === undefined) {
    reader.error(key, `${key} ${quote(text)} is none of "wait", "deny" and a duration`, DURATION_HINT);
  }
  return unattended_ms;
}

function readFlag(reader: TableReader, key: string): boolean | undefined {
  const value = reader.table[key];
  if (value === undefined || typeof value === "boolean") return value;
  reader.error(key, `${key} is ${typeName(value)}, not true or false`);
  return undefined;
}

/** A secret's place; a secret itself is refused. */
function readSecret(reader: TableReader, key: string): SecretSource | undefined {
  const value = reader.table[key];
  if (value === undefined) return undefined;
  if (typeof value === "string") {
    reader.error(key, `${key} is a string: a secret does not stand in a policy`, SECRET_HINT);
    return undefined;
  }
  const child = reader.child(key);
  if (child === undefined) return undefined;
  child.refuseUnknown(["file", "env"]);
  const [file, env] = [child.string("file"), child.string("env")];
  if (file !== undefined && env === undefined && file.startsWith("/")) return { file };
  if (env !== undefined && file === undefined && /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(env)) return { env };
  reader.error(key, `${key} names no file (absolute path) and no variable, or both`, SECRET_HINT);
  return undefined;
}

/** A table that has a secret which it cannot do without. */
function needSecret(reader: TableReader, key: string): SecretSource | undefined {
  if (!reader.has(key)) {
    reader.context.diagnostics.error(reader.position, `${key} is missing`, SECRET_HINT);
    return undefined;
  }
  return readSecret(reader, key);
}

function readName(reader: TableReader, fallback: string): string {
  const name = reader.string("name") ?? fallback;
  if (!NAME.test(name)) reader.error("name", `name ${quote(name)} is not 1 to 64 of A-Z a-z 0-9 . _ -`);
  return name;
}

function parseListen(reader: TableReader | undefined): ApprovalListen | undefined {
  if (reader === undefined) return undefined;
  reader.refuseUnknown(["address", "token", "name"]);
  const text = reader.string("address") ?? "";
  const match = /^(?:\[([0-9a-f:]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? "-1");
  if (!isLoopback(address) || port < 0 || port > 65_535) {
    const found = text === "" ? "address is missing" : `address ${quote(text)} is no port of this host alone`;
    const hint = 'write a loopback address and a port, as in "127.0.0.1:8787"';
    if (reader.has("address")) reader.error("address", found, hint);
    else reader.context.diagnostics.error(reader.position, found, hint);
    return undefined;
  }
  const token = needSecret(reader, "token");
  const name = readName(reader, "approver");
  return token === undefined ? undefined : { address, port, token, name };
}

function isLoopback(address: string): boolean {
  return parseIpv4(address) >= 0 ? address.startsWith("127.") : address === "::1";
}

function parseSocket(reader: TableReader | undefined): ApprovalSocket | undefined {
  if (reader === undefined) return undefined;
  reader.refuseUnknown(["group", "user"]);
  const [group, user] = [reader.string("group"), reader.string("user")];
  const name = group ?? user;
  if (name !== undefined && NAME.test(name) && (group === undefined) !== (user === undefined)) {
    return group === undefined ? { user: name } : { group: name };
  }
  const hint = 'write group = "operators", or user = "alice"';
  reader.context.diagnostics.error(reader.position, "the socket is for no group and no user, or for both", hint);
  return undefined;
}

function parseWebhook(reader: TableReader | undefined): ApprovalWebhook | undefined {
  if (reader === undefined) return undefined;
  reader.refuseUnknown(["url", "secret", "name", "decides"]);
  const url = reader.string("url") ?? "";
  if (!isWebAddress(url)) {
    const hint = 'write an address such as "https://approvals.example.com/agentguard"';
    if (reader.has("url")) reader.error("url", `url ${quote(url)} is no http or https address`, hint);
    else reader.context.diagnostics.error(reader.position, "url is missing", hint);
  }
  const secret = needSecret(reader, "secret");
  const name = readName(reader, "webhook");
  const decides = readFlag(reader, "decides") ?? false;
  return secret === undefined || !isWebAddress(url) ? undefined : { url, secret, name, decides };
}

function isWebAddress(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === "https:" || url.protocol === "http:") && url.username === "" &&
    url.password === "";
}

function parseSlack(reader: TableReader | undefined): { readonly url: SecretSource } | undefined {
  if (reader === undefined) return undefined;
  reader.refuseUnknown(["url"]);
  const url = needSecret(reader, "url");
  return url === undefined ? undefined : { url };
}
