/** Credentials that are known by how they begin. */
import { ALNUM, classAt, classOf, DIGIT, JOINER, LETTER, LOWER, UPPER } from "./chars.ts";
import type { Scan } from "./scan.ts";

/** What follows a prefix. */
export type Alphabet = "alnum" | "alnum_" | "alnum-" | "base64url" | "upper" | "hex" | "dotted" | "slashed";

/** One way in which a credential begins. */
export interface VendorRule {
  readonly kind: string;
  readonly prefix: string;
  readonly alphabet: Alphabet;
  /** Characters after the prefix, at least; below 128. */
  readonly min: number;
  /** Characters after the prefix when the length is fixed. */
  readonly exact?: true;
  /** The prefix is short or a word: no letter or digit may stand before it. */
  readonly apart?: true;
  /** The body must hold 16 letters and digits in one piece, among them a digit or both cases: names do not. */
  readonly dense?: true;
  /** The prefix is no part of the secret. */
  readonly keep_prefix?: true;
}

/**
 * Longer prefixes before their own beginnings; ffi/native/record_path.h has them, too. Sources: the vendors'
 * documentation of their token formats.
 */
export const RULES: readonly VendorRule[] = [
  ...all("aws_access_key", ["AKIA", "ASIA", "ABIA", "ACCA"], "upper", 16, { exact: true, apart: true }),
  ...all("github_token", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], "alnum", 30),
  ...all("github_token", ["github_pat_"], "alnum_", 22),
  ...all("gitlab_token", ["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glsoat-", "gloas-"], "base64url", 20),
  ...all("slack_token", ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"], "alnum-", 12),
  ...all("slack_webhook", ["hooks.slack.com/services/"], "slashed", 20, { keep_prefix: true }),
  ...all("anthropic_key", ["sk-ant-"], "base64url", 20),
  ...all("openai_key", ["sk-proj-", "sk-svcacct-", "sk-admin-"], "base64url", 20),
  ...all("openai_key", ["sk-"], "base64url", 20, { apart: true, dense: true }),
  ...all("google_api_key", ["AIza"], "base64url", 35, { exact: true }),
  ...all("google_token", ["ya29."], "base64url", 20),
  ...all("google_token", ["GOCSPX-"], "base64url", 20),
  ...all("stripe_key", ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"], "alnum", 16),
  ...all("npm_token", ["npm_"], "alnum", 30),
  ...all("twilio_key", ["SK"], "hex", 32, { exact: true, apart: true }),
  ...all("sendgrid_key", ["SG."], "dotted", 40, { apart: true }),
  ...all("mailgun_key", ["key-"], "hex", 32, { exact: true, apart: true }),
  ...all("pypi_token", ["pypi-"], "base64url", 50),
  ...all("huggingface_token", ["hf_"], "alnum", 30, { apart: true }),
  ...all("digitalocean_token", ["dop_v1_", "doo_v1_", "dor_v1_"], "hex", 64),
  ...all("vault_token", ["hvs.", "hvb."], "base64url", 20, { apart: true }),
  ...all("databricks_token", ["dapi"], "hex", 32, { apart: true }),
  ...all("docker_token", ["dckr_pat_"], "base64url", 20),
  ...all("grafana_token", ["glsa_"], "alnum_", 30),
  ...all("shopify_token", ["shpat_", "shpss_", "shpca_", "shppa_"], "hex", 32),
  ...all("linear_key", ["lin_api_"], "alnum", 30),
  ...all("groq_key", ["gsk_"], "alnum", 40, { apart: true }),
  ...all("xai_key", ["xai-"], "alnum", 40, { apart: true }),
  ...all("nvidia_key", ["nvapi-"], "base64url", 40),
  ...all("replicate_token", ["r8_"], "alnum", 30, { apart: true }),
  ...all("atlassian_token", ["ATATT3"], "base64url", 50),
  ...all("supabase_token", ["sbp_"], "hex", 40),
  ...all("tailscale_key", ["tskey-"], "alnum-", 20),
  ...all("telegram_token", [":AA"], "base64url", 33, { exact: true }),
  ...all("age_key", ["AGE-SECRET-KEY-1"], "upper", 50),
  ...all("authorization", ["Bearer ", "bearer "], "dotted", 16, { apart: true, dense: true, keep_prefix: true }),
];

/** A check of a body looks at no more than this; what is beyond belongs to the secret all the same. */
const CHECKED_CHARS = 256;

/**
 * Rules by the first two characters of their prefix, and where they stand in it by those characters; 0 stands for none.
 */
const GROUPS: readonly (readonly VendorRule[])[] = groups();
const GROUP_OF_PAIR: Readonly<Uint8Array> = groupOfPair();

function all(
  kind: string,
  prefixes: readonly string[],
  alphabet: Alphabet,
  min: number,
  more: Pick<VendorRule, "exact" | "apart" | "dense" | "keep_prefix"> = {},
): readonly VendorRule[] {
  return prefixes.map((prefix) => ({ kind, prefix, alphabet, min, ...more }));
}

function pairOf(first: number, second: number): number {
  return first < 128 && second < 128 ? first * 128 + second : 0;
}

function prefixPair(rule: VendorRule): number {
  return pairOf(rule.prefix.charCodeAt(0), rule.prefix.charCodeAt(1));
}

function groups(): readonly (readonly VendorRule[])[] {
  return [[], ...Map.groupBy(RULES, prefixPair).values()];
}

function groupOfPair(): Readonly<Uint8Array> {
  const table = new Uint8Array(128 * 128);
  for (const [group, [rule]] of GROUPS.entries()) if (rule !== undefined) table[prefixPair(rule)] = group;
  return table;
}

/** Notes the credential that begins at `at`; gives its end, or `at` where none begins. */
export function scanVendor(scan: Scan, at: number): number {
  const group = GROUP_OF_PAIR[pairOf(scan.text.charCodeAt(at), scan.text.charCodeAt(at + 1))] ?? 0;
  if (group === 0) return at;
  for (const rule of GROUPS[group] ?? []) {
    scan.steps++;
    if (!scan.text.startsWith(rule.prefix, at)) continue;
    if (rule.apart === true && (classAt(scan.text, at - 1) & ALNUM) !== 0) continue;
    const body = at + rule.prefix.length;
    const end = bodyEnd(scan, rule, body);
    if (end === body) continue;
    scan.add(rule.keep_prefix === true ? body : at, end, rule.kind);
    return end;
  }
  return at;
}

/** The end of the body, or its start where it is none. */
function bodyEnd(scan: Scan, rule: VendorRule, body: number): number {
  const { text } = scan;
  const checked = Math.min(text.length, body + (rule.exact === true ? rule.min : CHECKED_CHARS));
  let end = body;
  while (end < checked && isOf(rule.alphabet, text.charCodeAt(end))) end++;
  scan.steps += end - body + 1;
  if (end - body < rule.min) return body;
  if (rule.dense === true && !isDense(scan, body, end)) return body;
  if (rule.exact === true) return end;
  const longer = end;
  while (end < text.length && isOf(rule.alphabet, text.charCodeAt(end))) end++;
  scan.steps += end - longer;
  return end;
}

function isDense(scan: Scan, start: number, end: number): boolean {
  let bits = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    scan.steps++;
    const bit = classAt(scan.text, at) & ALNUM;
    if (bit === 0) bits = length = 0;
    else {
      bits |= bit;
      length++;
    }
    if (length >= 16 && ((bits & DIGIT) !== 0 || (bits & LETTER) === LETTER)) return true;
  }
  return false;
}

function isOf(alphabet: Alphabet, code: number): boolean {
  const bits = classOf(code);
  switch (alphabet) {
    case "alnum":
      return (bits & ALNUM) !== 0;
    case "alnum_":
      return (bits & ALNUM) !== 0 || code === 0x5f;
    case "alnum-":
      return (bits & ALNUM) !== 0 || code === 0x2d;
    case "base64url":
      return (bits & (ALNUM | JOINER)) !== 0;
    case "upper":
      return (bits & (UPPER | DIGIT)) !== 0;
    case "hex":
      return (bits & DIGIT) !== 0 || ((bits & LOWER) !== 0 && code <= 0x66);
    case "dotted":
      return (bits & (ALNUM | JOINER)) !== 0 || code === 0x2e;
    case "slashed":
      return (bits & ALNUM) !== 0 || code === 0x2f;
  }
}
