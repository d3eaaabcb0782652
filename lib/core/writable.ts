/**
 * A value while it is made, field by field. On the flood path this stands for `{ ...(x === undefined ? undefined : { x }) }`:
 * spreading costs ten times as much.
 */
export type Writable<T> = { -readonly [K in keyof T]: T[K] };
