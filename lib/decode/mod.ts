/**
 * lib/decode: bytes of kernel records to actions. Pure and total: any bytes give an action, "not yet" or a
 * `DecodeError` that the caller counts. It never throws, never does I/O and never keeps a view of the source's memory.
 */
export { Decoder } from "./decoder.ts";
export { joinPath, normalPath } from "./path_text.ts";
