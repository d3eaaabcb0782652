/** System calls with their exact errno, by the kernel's numbers. The one place that knows an architecture. */
import { ptr } from "bun:ffi";
import { AgentguardError } from "../lib/core/mod.ts";
import { errnoName } from "../lib/core/mod.ts";
import type { Shim } from "./native_library.ts";

type CallName = keyof typeof NUMBERS.x64;

/** arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h. */
const NUMBERS = {
  x64: {
    read: 0,
    close: 3,
    mmap: 9,
    munmap: 11,
    ioctl: 16,
    flock: 73,
    setpriority: 141,
    epoll_wait: 232,
    epoll_ctl: 233,
    openat: 257,
    eventfd2: 290,
    epoll_create1: 291,
    pidfd_send_signal: 424,
    pidfd_open: 434,
    pidfd_getfd: 438,
    write: 1,
    getsockopt: 55,
    clock_gettime: 228,
    bpf: 321,
  },
  arm64: {
    read: 63,
    close: 57,
    mmap: 222,
    munmap: 215,
    ioctl: 29,
    flock: 32,
    setpriority: 140,
    epoll_wait: 22,
    epoll_ctl: 21,
    openat: 56,
    eventfd2: 19,
    epoll_create1: 20,
    pidfd_send_signal: 424,
    pidfd_open: 434,
    pidfd_getfd: 438,
    write: 64,
    getsockopt: 209,
    clock_gettime: 113,
    bpf: 280,
  },
} as const;

/**
 * Runs one system call; -errno on failure. Buffers passed by `ptr` must outlive the call, which they do: it is
 * synchronous.
 */
export class SystemCalls {
  readonly #shim: Shim;
  readonly #numbers: Readonly<Record<CallName, number>>;

  constructor(shim: Shim) {
    this.#shim = shim;
    const arch = process.arch;
    if (arch !== "x64" && arch !== "arm64") {
      throw new AgentguardError("unsupported", `run on ${arch}: only x64 and arm64 are known`);
    }
    this.#numbers = NUMBERS[arch];
  }

  /** The raw result: a value >= 0, or -errno. */
  call(name: CallName, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
    // SAFETY: the callers below pass live buffers; numbers match the running architecture.
    return Number(this.#shim.ag_syscall(this.#numbers[name], a, b, c, d, e, f));
  }

  /** The result, or an `io` error that names what was tried. */
  must(what: string, name: CallName, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0): number {
    const result = this.call(name, a, b, c, d, e, f);
    if (result >= 0) return result;
    throw new AgentguardError("io", `${what}: ${name} failed with ${errnoName(-result)}`);
  }

  /** Opens a path with openat(2) flags; CLOEXEC is added. */
  open(path: string, flags: number, mode = 0): number {
    const bytes = Buffer.from(`${path}\0`);
    return this.call("openat", AT_FDCWD, Number(ptr(bytes)), flags | O_CLOEXEC, mode);
  }

  close(fd: number): void {
    this.call("close", fd);
  }

  /** A descriptor for a process; -ESRCH where it has ended. */
  pidfdOpen(pid: number): number {
    return this.call("pidfd_open", pid, 0);
  }

  /** A copy of a descriptor of another process, close-on-exec; needs the right to trace it. Throws `io`. */
  takeDescriptor(what: string, pid: number, fd: number): number {
    const pidfd = this.must(what, "pidfd_open", pid, 0);
    try {
      return this.must(what, "pidfd_getfd", pidfd, fd, 0);
    } finally {
      this.close(pidfd);
    }
  }

  /** Signals by descriptor, so that a reused pid is never hit; 0, or -errno. */
  pidfdSignal(pidfd: number, signal: number): number {
    return this.call("pidfd_send_signal", pidfd, signal, 0, 0);
  }

  /** Reads into `buffer`; bytes read, or -errno. */
  read(fd: number, buffer: Uint8Array): number {
    return this.call("read", fd, Number(ptr(buffer)), buffer.length);
  }

  /** CLOCK_BOOTTIME in microseconds: the clock of kernel records. */
  bootUs(): number {
    const time = new BigInt64Array(2);
    this.must("read CLOCK_BOOTTIME", "clock_gettime", CLOCK_BOOTTIME, Number(ptr(time)));
    return Number(time[0]) * 1_000_000 + Number(time[1]) / 1000;
  }

  /** Sets the niceness of one thread, -20 to 19; 0 is the calling one. 0, or -errno: the thread may have ended. */
  setNice(tid: number, nice: number): number {
    return this.call("setpriority", PRIO_PROCESS, tid, nice);
  }

  /** Takes an exclusive lock without waiting: true, or false where somebody else holds it. */
  lockExclusive(fd: number): boolean {
    const result = this.call("flock", fd, LOCK_EX | LOCK_NB);
    if (result === 0) return true;
    if (result === -11) return false;
    throw new AgentguardError("io", `lock state directory: flock failed with ${errnoName(-result)}`);
  }
}

const AT_FDCWD = -100;
const O_CLOEXEC = 0o2000000;
const CLOCK_BOOTTIME = 7;
/** On Linux a thread, not a process. */
const PRIO_PROCESS = 0;
const LOCK_EX = 2;
const LOCK_NB = 4;
