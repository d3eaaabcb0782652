/**
 * The guarded command, started by the launcher (`ffi/native/launch.c`) between guard and command: held until `go`,
 * watched, sent signals, ended. A `LaunchedCommand` owns the socket and the launcher process; dispose it.
 */
import { ptr } from "bun:ffi";
import { closeSync } from "node:fs";
import { AgentguardError, ALL_PARTS, type BaselinePart } from "../lib/core/mod.ts";
import { PART } from "./launch_baseline.ts";
import { argumentBytes, configBytes } from "./launch_config.ts";
import { decodeMessage, decodeStatus, encodeMessage, LAUNCH_TYPE, type LaunchMessage } from "./launch_protocol.ts";
import { resetHandler } from "./launch_self.ts";
import { launcherProgram, spawnLauncher } from "./launch_spawn.ts";
import { launchErrno, type LaunchSymbols, launchSymbols } from "./launch_symbols.ts";
import type { SystemCalls } from "./system_call.ts";
import type { CommandExit, LaunchEvent, LaunchListener, LaunchOptions, Sleep } from "./launch_types.ts";
import { sealedFile } from "./sealed_file.ts";

/** include/linux/socket.h, include/linux/net.h, include/uapi/linux/wait.h */
const AF_UNIX = 1, SOCK_SEQPACKET = 5, SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000, WNOHANG = 1;
/** Pauses between looks at a launcher that is ending, milliseconds: doubled up to the second. */
const WAIT_MS_MIN = 1, WAIT_MS_MAX = 20;

/**
 * Starts the command up to the point before its exec and returns when its pid is known. Throws `usage` (arguments),
 * `unsupported` (no executable memory files), `io` (the launcher failed; the message names the stage).
 */
export async function launchCommand(options: LaunchOptions): Promise<LaunchedCommand> {
  const libc = launchSymbols();
  const argv = options.argv.map(argumentBytes);
  if (argv.length === 0) throw new AgentguardError("usage", "name a command to run");
  const config = configBytes(options);
  const program_fd = sealedFile(libc, "agentguard-launch", await launcherProgram());
  const pair = new Int32Array(2);
  if (libc.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ptr(pair)) !== 0) {
    const errno = launchErrno(libc);
    closeSync(program_fd);
    throw new AgentguardError("io", `make a socket pair for the launcher: errno ${errno}`);
  }
  const guard_fd = pair[0] ?? -1;
  const socket_fd = pair[1] ?? -1;
  let launcher_pid: number;
  try {
    const { fds, environment } = options.state;
    launcher_pid = spawnLauncher(libc, { program_fd, socket_fd, fds, argv, environment });
  } catch (error) {
    closeSync(guard_fd);
    throw error;
  } finally {
    closeSync(program_fd);
    closeSync(socket_fd);
  }
  const command = new LaunchedCommand(libc, guard_fd, { launcher_pid, sleep: options.sleep });
  await command.start(config);
  return command;
}

/** A command that waits for `go`, runs or has ended. Made by `launchCommand`. */
export class LaunchedCommand implements AsyncDisposable {
  /** Settles when the command ended; rejects with `io` when the launcher was lost before that. */
  readonly exited: Promise<CommandExit>;
  /** The launcher, a child of this process. */
  readonly launcher_pid: number;
  readonly #libc: LaunchSymbols;
  readonly #sleep: Sleep;
  readonly #fd: number;
  readonly #parts = new Map<BaselinePart, number>();
  readonly #listeners = new Set<LaunchListener>();
  readonly #started = Promise.withResolvers<number>();
  readonly #exited = Promise.withResolvers<CommandExit>();
  readonly #closed = Promise.withResolvers<void>();
  #pending: LaunchEvent[] = [];
  #socket: Bun.Socket<undefined> | undefined;
  #pid = -1;
  /** The listener's number in the command; -1 for none, or taken. */
  #listener = -1;
  #ended = false;
  /** Set when this side ends the launcher, so that its end is no loss. */
  #finishing = false;
  #open = true;
  #restore_handler: () => void = noop;

  /** Takes over both: `fd` (the guard's end of the socket pair) and the process `launcher_pid`. */
  constructor(libc: LaunchSymbols, fd: number, launcher: { readonly launcher_pid: number; readonly sleep: Sleep }) {
    this.#libc = libc;
    this.#fd = fd;
    this.launcher_pid = launcher.launcher_pid;
    this.#sleep = launcher.sleep;
    this.exited = this.#exited.promise;
    // A caller that only listens to events must not be told again by an unhandled rejection.
    this.exited.catch(noop);
    this.#started.promise.catch(noop);
  }

  /** The command's process id; it is the launcher's child and stays unreaped until `exited`. */
  get pid(): number {
    return this.#pid;
  }

  /** The parts of the baseline that were asked for: 0, or the errno that says why this host does not have it. */
  get baseline(): ReadonlyMap<BaselinePart, number> {
    return this.#parts;
  }

  /** Configures the launcher and waits for the command's pid. Called once, by `launchCommand`. */
  async start(config: Uint8Array<ArrayBuffer>): Promise<void> {
    // Bun.connect takes over a descriptor, which its types tell of Bun.listen only.
    const options: Omit<Bun.FdSocketOptions, "data"> = {
      fd: this.#fd,
      socket: {
        data: (_socket, bytes) => this.#receive(bytes),
        close: () => void this.#lost(),
        error: noop, // `close` follows
      },
    };
    this.#socket = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
    this.#sendOrThrow(config);
    this.#pid = await this.#started.promise;
  }

  /**
   * The listener of the calls in `notify`, once, before `go`; the caller closes it. When its last copy is closed, held
   * calls fail with ENOSYS. Throws `invariant` when there is none, `io` when it cannot be had (pidfd_getfd: Linux 5.6).
   */
  takeListener(calls: SystemCalls): number {
    const listener = this.#listener;
    if (listener < 0) throw new AgentguardError("invariant", "take the listener of held system calls once, before go");
    this.#listener = -1;
    return calls.takeDescriptor("take the listener of held system calls", this.#pid, listener);
  }

  /** Lets the command run. Throws `closed` when the launcher is gone. */
  go(): void {
    this.#listener = -1; // the command closes its own
    this.#sendOrThrow(encodeMessage(LAUNCH_TYPE.GO, 0));
  }

  /** Passes on a signal (1-64) that this process received, unless the command got it with the process group. */
  forward(signo: number): void {
    if (this.#open && !this.#ended) this.#send(encodeMessage(LAUNCH_TYPE.FORWARD, signo));
  }

  /**
   * Answers `stopped`: lets the launcher stop this process in the same way, so that the shell sees the job stop.
   * Nothing happens if the command was continued in the meantime. A handler of `signo` does not run; it is back at
   * `continued`.
   */
  stopGuard(signo: number): void {
    this.#restoreHandler(); // a continuation just before the next stop is not reported
    this.#restore_handler = resetHandler(this.#libc, signo);
    this.#send(encodeMessage(LAUNCH_TYPE.STOP, 0));
  }

  /** Before `go`: while the launcher lives, the end of this process lets no open go on that waits in this group. */
  keepWatch(group_fd: number): void {
    this.#sendOrThrow(encodeMessage(LAUNCH_TYPE.KEEP, group_fd));
  }

  /** Nobody answers held calls any more: with `held_file` the launcher lets them go on, after those that wait. */
  leaveHeld(): void {
    if (this.#open) this.#send(encodeMessage(LAUNCH_TYPE.TAKE, 0));
  }

  /**
   * Ends the launcher and waits for its end. `kill_rest` kills what is left of the tree first, the command itself too;
   * otherwise processes that outlived the command go on as orphans. Before `go` the command is killed in any case.
   */
  async finish(options: { readonly kill_rest: boolean }): Promise<void> {
    if (this.#open && !this.#finishing) {
      this.#finishing = true;
      this.#send(encodeMessage(LAUNCH_TYPE.FINISH, options.kill_rest ? 1 : 0));
    }
    await this.#closed.promise;
  }

  /** Adds a listener, the first one also for what happened before. Returns a function that removes it. */
  onEvent(listener: LaunchListener): () => void {
    this.#listeners.add(listener);
    const pending = this.#pending;
    this.#pending = [];
    for (const event of pending) listener(event);
    return () => void this.#listeners.delete(listener);
  }

  /** As `finish({ kill_rest: true })`: nothing of the tree outlives it. Safe to call again. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish({ kill_rest: true });
  }

  /** False when the launcher has ended, which `#lost` reports as soon as the socket's end is read. */
  #send(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (!this.#open) return false;
    // SAFETY: the kernel copies the message during the call; the socket's buffer holds hundreds of them.
    const sent = this.#libc.send(this.#fd, ptr(bytes), bytes.byteLength, MSG_DONTWAIT | MSG_NOSIGNAL);
    return Number(sent) === bytes.byteLength;
  }

  #sendOrThrow(bytes: Uint8Array<ArrayBuffer>): void {
    if (!this.#send(bytes)) throw new AgentguardError("closed", "reach the launcher: it has ended");
  }

  #receive(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message !== undefined) this.#handle(message);
    else this.#socket?.terminate(); // not our launcher any more: its end of the socket closes and it ends the tree
  }

  #handle(message: LaunchMessage): void {
    switch (message.type) {
      case LAUNCH_TYPE.STARTED:
        return this.#started.resolve(message.pid);
      case LAUNCH_TYPE.PART: {
        const part = ALL_PARTS.find((name) => PART[name] === message.part);
        if (part !== undefined) this.#parts.set(part, message.value);
        return;
      }
      case LAUNCH_TYPE.LISTENER:
        this.#listener = message.value;
        return;
      case LAUNCH_TYPE.SETUP_FAILED:
        return this.#started.reject(
          new AgentguardError("io", `start the launcher: stage ${message.stage}, errno ${message.value}`),
        );
      case LAUNCH_TYPE.EXEC_FAILED:
        return this.#emit({ type: "exec_failed", stage: message.stage, errno: message.value });
      case LAUNCH_TYPE.STOPPED:
        return this.#emit({ type: "stopped", signal: message.value });
      case LAUNCH_TYPE.CONTINUED:
        this.#restoreHandler();
        return this.#emit({ type: "continued" });
      case LAUNCH_TYPE.EXITED: {
        const { user_us, system_us, maxrss_kib } = message;
        const exit: CommandExit = { ...decodeStatus(message.value), user_us, system_us, maxrss_kib };
        this.#ended = true;
        this.#emit({ type: "exited", exit });
        return this.#exited.resolve(exit);
      }
      default:
        this.#socket?.terminate();
    }
  }

  #restoreHandler(): void {
    this.#restore_handler();
    this.#restore_handler = noop;
  }

  #emit(event: LaunchEvent): void {
    if (this.#listeners.size === 0) this.#pending.push(event);
    for (const listener of this.#listeners) listener(event);
  }

  /** The socket closed: waits for the launcher process and reports an end that nobody asked for. */
  async #lost(): Promise<void> {
    this.#open = false;
    this.#restoreHandler();
    const status = new Int32Array(1);
    for (let wait_ms = WAIT_MS_MIN;; wait_ms = Math.min(wait_ms * 2, WAIT_MS_MAX)) {
      const got = this.#libc.waitpid(this.launcher_pid, ptr(status), WNOHANG);
      if (got !== 0) break; // reaped, or (-1) reaped by somebody else
      await this.#sleep(wait_ms);
    }
    if (!this.#finishing) {
      const { core_dumped: _core_dumped, ...end } = decodeStatus(status[0] ?? 0);
      this.#emit({ type: "launcher_lost", ...end });
    }
    const error = new AgentguardError("io", "watch the command: the launcher ended before it");
    this.#started.reject(error);
    this.#exited.reject(error);
    this.#closed.resolve();
  }
}

function noop(): void {}
