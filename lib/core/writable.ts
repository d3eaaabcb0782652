/**
 * A value while it is made, field by field. On the flood path fields that may be absent are set this way: spreading
 * them into an object costs ten times as much.
 */
export type Writable<T> = { -readonly [K in keyof T]: T[K] };
