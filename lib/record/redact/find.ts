/** Where secrets stand in a text that people write, such as a policy: nothing is taken out. */
import { findingsOf, isSuspicious, scanText } from "./text.ts";

/** A secret's place, `[start, end)` in UTF-16 code units, and what it looks like. */
export interface SecretPlace {
  readonly start: number;
  readonly end: number;
  /** Of the vocabulary of marks, for example `aws_access_key`. */
  readonly kind: string;
}

/** In order, without overlaps; linear in the text's length. Addresses of people are no secrets here. */
export function findSecrets(text: string): readonly SecretPlace[] {
  if (!isSuspicious(text)) return [];
  return findingsOf(scanText(text, { path: true, email: false })).map(({ start, end, kind }) => ({ start, end, kind }));
}
