/**
 * One HTTP/1.1 request from bytes, as little of RFC 9112 as the API needs: a request line, header fields, and a body of
 * a stated length. Anything else is refused, so that two readers can never see two different requests.
 */
import { err, ok, type Result } from "../core/mod.ts";

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** Path and query, beginning with a slash. */
  readonly target: string;
  readonly headers: Headers;
  readonly body_bytes: number;
  /** Bytes of the head, its empty line included. */
  readonly head_bytes: number;
}

/** Why a request is refused. */
export interface RequestRefusal {
  readonly status: 400 | 413 | 431 | 501;
  readonly message: string;
}

/** Bounds of a request. */
export interface RequestLimits {
  readonly head_bytes_max: number;
  readonly body_bytes_max: number;
}

const REQUEST_LINE = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.[01]$/;
/** Source: RFC 9110 sections 5.1 and 5.5; no folded lines. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const FIELDS_MAX = 64;

/** The head that the bytes begin with; `undefined` while it is not complete. */
export function parseHead(
  bytes: Uint8Array,
  limits: RequestLimits,
): Result<RequestHead, RequestRefusal> | undefined {
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("\r\n\r\n");
  if (end < 0 && bytes.length <= limits.head_bytes_max) return undefined;
  if (end < 0 || end > limits.head_bytes_max) {
    return refuse(431, `send a head of at most ${limits.head_bytes_max} bytes`);
  }
  const [first = "", ...lines] = Buffer.from(bytes.subarray(0, end)).toString("latin1").split("\r\n");
  const request = REQUEST_LINE.exec(first);
  if (request === null) return refuse(400, "send a request line of HTTP/1.1 with a path");
  const headers = new Headers();
  if (lines.length > FIELDS_MAX) return refuse(431, `send at most ${FIELDS_MAX} header fields`);
  for (const line of lines) {
    const field = FIELD.exec(line);
    if (field === null) return refuse(400, "send header fields of the form NAME: VALUE");
    headers.append(field[1] ?? "", field[2] ?? "");
  }
  if (headers.has("transfer-encoding")) return refuse(501, "send a body with Content-Length");
  const length = headers.get("content-length") ?? "0";
  if (!/^\d{1,10}$/.test(length)) return refuse(400, "send one Content-Length");
  const body_bytes = Number(length);
  if (body_bytes > limits.body_bytes_max) return refuse(413, `send a body of at most ${limits.body_bytes_max} bytes`);
  return ok({ method: request[1] ?? "", target: request[2] ?? "", headers, body_bytes, head_bytes: end + 4 });
}

function refuse(status: RequestRefusal["status"], message: string): Result<RequestHead, RequestRefusal> {
  return err({ status, message });
}
