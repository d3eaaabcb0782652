/**
 * lib/record/redact: secrets are taken out of a draft before it becomes an entry.
 *
 * Owns: the scanners (keys of vendors, private keys in PEM, passwords in URLs, assignments, headers and command lines,
 * JSON web tokens, cards, addresses, random words), the marks `[redacted:KIND:hhhhhhhh]` and
 * `[cut:CHARS:hhhhhhhhhhhhhhhh]`, whose digits begin the HMAC-SHA256 of what was taken out, so that the same secret can
 * be recognized without being known.
 * Never: keeps a draft, a text or a secret; decides what is recorded; takes more than linear time, whatever a text
 * holds.
 * Errors: a key or bound out of range throws `invariant` when a redactor is made; redacting itself never throws.
 * Lifetimes: a redactor holds nothing but its key.
 */
export { findSecrets, type SecretPlace } from "./find.ts";
export { createRedactor, type RedactLimits, type Redactor, type RedactorOptions } from "./redactor.ts";
