/** Messages to the service manager, sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names. */
import { dlopen, FFIType as T, ptr } from "bun:ffi";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
/** `sun_path` of struct sockaddr_un (unix(7)). */
const PATH_BYTES = 108;

/**
 * Sends `text`; does nothing without a socket. A service manager that does not listen is no reason to fail: false then.
 */
export function notifySupervisor(socket: string | undefined, text: string): boolean {
  if (socket === undefined || socket === "") return false;
  const path = new TextEncoder().encode(socket);
  if (path.length >= PATH_BYTES) return false;
  const address = new Uint8Array(2 + path.length);
  address[0] = AF_UNIX;
  address.set(path, 2);
  if (socket.startsWith("@")) address[2] = 0; // an abstract name
  const message = new TextEncoder().encode(text);
  const { symbols: libc } = dlopen("libc.so.6", {
    socket: { args: [T.i32, T.i32, T.i32], returns: T.i32 },
    sendto: { args: [T.i32, T.ptr, T.u64_fast, T.i32, T.ptr, T.u32], returns: T.i64_fast },
    close: { args: [T.i32], returns: T.i32 },
  });
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) return false;
  // SAFETY: the kernel copies message and address during the call.
  const sent = libc.sendto(fd, ptr(message), message.length, 0, ptr(address), address.length);
  libc.close(fd);
  return Number(sent) === message.length;
}
