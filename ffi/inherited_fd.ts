/**
 * Which descriptors the guard was started with. An exec closes every close-on-exec descriptor, so at the start of a
 * process all open ones are inherited, except those that Bun opened before the first line of ours ran: one epoll
 * instance and the eventfd that wakes it (Bun 1.4: both made in its event loop, both close-on-exec). Bun also marks all
 * inherited descriptors from 4 up close-on-exec, so the flag tells nothing here; what tells them apart is that Bun's
 * epoll instance watches Bun's eventfd. Call these functions before anything else opens a descriptor.
 *
 * Not knowable: an epoll instance that the caller left open for us together with an eventfd that it watches looks the
 * same and is not passed on.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const O_CLOEXEC = 0o2000000;

/** Descriptors from 3 up that the process got at its start, ascending. Throws when /proc cannot be read. */
export function inheritedFds(): readonly number[] {
  const open = new Map<number, string>();
  for (const name of readdirSync("/proc/self/fd")) {
    const fd = Number(name);
    if (fd < 3) continue;
    const target = descriptorTarget(fd);
    // The descriptor that listed the directory is closed again by now.
    if (target !== undefined) open.set(fd, target);
  }
  const own = new Set<number>();
  for (const [fd, target] of open) {
    if (target !== "anon_inode:[eventpoll]") continue;
    const watched = watchedBy(fd).filter((other) => open.get(other) === "anon_inode:[eventfd]");
    if (watched.length === 0) continue;
    own.add(fd);
    for (const other of watched) own.add(other);
  }
  return [...open.keys()].filter((fd) => !own.has(fd)).sort((a, b) => a - b);
}

/**
 * Bit n is set when descriptor n (0-2) was closed at the start: Bun then opens /dev/null there, close-on-exec, which an
 * inherited descriptor cannot be.
 */
export function closedStdio(): number {
  let closed = 0;
  for (let fd = 0; fd <= 2; fd++) {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1];
    if (flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0) closed |= 1 << fd;
  }
  return closed;
}

function descriptorTarget(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // closed since it was listed
  }
}

/** Targets of an epoll instance, from the `tfd:` lines of its fdinfo (fs/eventpoll.c). */
function watchedBy(epoll_fd: number): readonly number[] {
  const text = readFileSync(`/proc/self/fdinfo/${epoll_fd}`, "latin1");
  return [...text.matchAll(/^tfd:\s*(\d+)/gm)].map((match) => Number(match[1]));
}
