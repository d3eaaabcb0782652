/** What the thread protocol needs of a channel. */

/** One end of a channel that keeps the order of strings, and of memory that both ends share. */
export interface PortLike {
  postMessage(message: string | SharedArrayBuffer): void;
  /** Called for each message while set. */
  onmessage: ((event: { readonly data: unknown }) => void) | null;
}

/** The part of the runtime's `MessagePort` that is used. */
export interface MessagePortLike {
  postMessage(message: string | SharedArrayBuffer): void;
  addEventListener(type: "message", listener: (event: { readonly data?: unknown }) => void): void;
  start(): void;
}

/**
 * A `MessagePort` as a `PortLike`, to be listened on in the same turn, else messages are lost; the caller closes the
 * port.
 */
export function messagePort(port: MessagePortLike): PortLike {
  const made: PortLike = {
    postMessage: (message) => port.postMessage(message),
    onmessage: null,
  };
  port.addEventListener("message", (event) => made.onmessage?.({ data: event.data }));
  port.start();
  return made;
}
