/**
 * The messages between the guard and the launcher, as `ffi/native/launch_protocol.h` defines them. A kernel test
 * compiles that header and compares every number here with it.
 */
import { LITTLE_ENDIAN } from "./endian.ts";
import { encodeTests, type NotifyRule, TEST, TESTS_MAX } from "./launch_tests.ts";
import {
  type Baseline,
  encodePlaces,
  encodePorts,
  PART,
  PATH_BYTES,
  PLACES_BYTES,
  PORT_BYTES,
  PORTS_MAX,
} from "./launch_baseline.ts";

/** Counts changes of the layout. */
export const LAUNCH_VERSION = 8;

/** Bytes of `held_file`: the id that was received last, and those of 4,096 calls that wait for a person or 0. */
export const HELD_FILE_BYTES: number = 8 * (1 + 4096);

/** `enum ag_launch_type`. */
export const LAUNCH_TYPE = {
  CONFIG: 1,
  GO: 2,
  FORWARD: 3,
  FINISH: 4,
  STOP: 5,
  TAKE: 6,
  KEEP: 7,
  STARTED: 16,
  EXEC_FAILED: 17,
  EXITED: 18,
  STOPPED: 19,
  CONTINUED: 20,
  SETUP_FAILED: 21,
  LISTENER: 22,
  PART: 23,
} as const;

/** `enum ag_launch_stage`, in the order of its values: what the launcher or the command was doing when it failed. */
export const LAUNCH_STAGES = [
  "exec",
  "cwd",
  "fds",
  "rlimit",
  "signals",
  "config",
  "cgroup",
  "subreaper",
  "fork",
  "notify",
  "privileges",
  "mounts",
  "scope",
  "filter",
] as const;

/** One of `LAUNCH_STAGES`. */
export type LaunchStage = typeof LAUNCH_STAGES[number];

/** `enum ag_launch_on_failure`. */
export const ON_FAILURE = { deny: 0, open: 1 } as const;

/** `struct ag_launch_message`: byte offsets and size. */
export const MESSAGE = {
  type: 0,
  pid: 4,
  value: 8,
  stage: 12,
  part: 16,
  user_us: 24,
  system_us: 32,
  maxrss_kib: 40,
  bytes: 48,
} as const;

/** `AG_LAUNCH_FDS_MAX`: inherited descriptors that the command may keep. */
export const FDS_MAX = 1024;
/** `AG_LAUNCH_KEEP_NOFILE`. */
export const KEEP_NOFILE = 0xffff_ffff_ffff_ffffn;

type ConfigField =
  | "type"
  | "version"
  | "on_failure"
  | "closed_stdio"
  | "blocked"
  | "ignored"
  | "nofile_soft"
  | "fd_count"
  | "test_count"
  | "parts"
  | "places_bytes"
  | "port_count"
  | "port_access"
  | "capabilities"
  | "tests"
  | "ports"
  | "fds"
  | "cwd"
  | "lost"
  | "cgroup"
  | "held"
  | "places"
  | "bytes";

const TESTS = 72;
const PORTS = TESTS + TEST.bytes * TESTS_MAX;
const FDS = PORTS + PORT_BYTES * PORTS_MAX;

/** `struct ag_launch_config`: byte offsets. */
export const CONFIG: Readonly<Record<ConfigField, number>> = {
  type: 0,
  version: 4,
  on_failure: 8,
  closed_stdio: 12,
  blocked: 16,
  ignored: 24,
  nofile_soft: 32,
  fd_count: 40,
  test_count: 44,
  parts: 48,
  places_bytes: 52,
  port_count: 56,
  port_access: 60,
  capabilities: 64,
  tests: TESTS,
  ports: PORTS,
  fds: FDS,
  cwd: FDS + 4 * FDS_MAX,
  lost: FDS + 4 * FDS_MAX + PATH_BYTES,
  cgroup: FDS + 4 * FDS_MAX + 2 * PATH_BYTES,
  held: FDS + 4 * FDS_MAX + 3 * PATH_BYTES,
  places: FDS + 4 * FDS_MAX + 4 * PATH_BYTES,
  bytes: FDS + 4 * FDS_MAX + 4 * PATH_BYTES + PLACES_BYTES,
};

/** What the command is to be started with. */
export interface LaunchConfig {
  readonly on_failure: keyof typeof ON_FAILURE;
  /** Bit n: descriptor n (0-2) is closed for the command. */
  readonly closed_stdio: number;
  /** Signal masks: bit n-1 for signal n. */
  readonly blocked: bigint;
  readonly ignored: bigint;
  /** Soft `RLIMIT_NOFILE`; absent leaves it. */
  readonly nofile_soft?: number;
  /** Ascending, at most `FDS_MAX`. */
  readonly fds: readonly number[];
  /** At most `PATH_BYTES - 1` bytes of UTF-8; empty for none. */
  readonly cwd: string;
  readonly lost: string;
  readonly cgroup: string;
  readonly held: string;
  /** At most `TESTS_MAX` rows: one for each test, and one for each rule without. */
  readonly notify: readonly NotifyRule[];
  readonly baseline?: Baseline;
}

/** A message from the launcher. */
export interface LaunchMessage {
  readonly type: number;
  readonly pid: number;
  readonly value: number;
  readonly stage: LaunchStage;
  readonly part: number;
  readonly user_us: number;
  readonly system_us: number;
  readonly maxrss_kib: number;
}

/** The first message of the guard. Throws `RangeError` when a path or a list is too long, or a test cannot hold. */
export function encodeConfig(config: LaunchConfig): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(CONFIG.bytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(CONFIG.type, LAUNCH_TYPE.CONFIG, LITTLE_ENDIAN);
  view.setUint32(CONFIG.version, LAUNCH_VERSION, LITTLE_ENDIAN);
  view.setUint32(CONFIG.on_failure, ON_FAILURE[config.on_failure], LITTLE_ENDIAN);
  view.setUint32(CONFIG.closed_stdio, config.closed_stdio, LITTLE_ENDIAN);
  view.setBigUint64(CONFIG.blocked, config.blocked, LITTLE_ENDIAN);
  view.setBigUint64(CONFIG.ignored, config.ignored, LITTLE_ENDIAN);
  const nofile = config.nofile_soft === undefined ? KEEP_NOFILE : BigInt(config.nofile_soft);
  view.setBigUint64(CONFIG.nofile_soft, nofile, LITTLE_ENDIAN);
  if (config.fds.length > FDS_MAX) throw new RangeError(`pass at most ${FDS_MAX} inherited descriptors`);
  view.setUint32(CONFIG.fd_count, config.fds.length, LITTLE_ENDIAN);
  config.fds.forEach((fd, index) => view.setInt32(CONFIG.fds + 4 * index, fd, LITTLE_ENDIAN));
  const tests = encodeTests(config.notify);
  bytes.set(tests, CONFIG.tests);
  view.setUint32(CONFIG.test_count, tests.byteLength / TEST.bytes, LITTLE_ENDIAN);
  if (config.baseline !== undefined) setBaseline(bytes, config.baseline);
  for (const name of ["cwd", "lost", "cgroup", "held"] as const) setPath(bytes, CONFIG[name], config[name]);
  return bytes;
}

/** What has a type and a number. */
export function encodeMessage(type: number, value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MESSAGE.bytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(MESSAGE.type, type, LITTLE_ENDIAN);
  view.setInt32(MESSAGE.value, value, LITTLE_ENDIAN);
  return bytes;
}

/** Reads a message; undefined when its size or stage is none that the launcher sends. */
export function decodeMessage(bytes: Uint8Array): LaunchMessage | undefined {
  if (bytes.byteLength !== MESSAGE.bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stage = LAUNCH_STAGES[view.getUint32(MESSAGE.stage, LITTLE_ENDIAN)];
  if (stage === undefined) return undefined;
  return {
    type: view.getUint32(MESSAGE.type, LITTLE_ENDIAN),
    pid: view.getInt32(MESSAGE.pid, LITTLE_ENDIAN),
    value: view.getInt32(MESSAGE.value, LITTLE_ENDIAN),
    stage,
    part: view.getUint32(MESSAGE.part, LITTLE_ENDIAN),
    user_us: Number(view.getBigUint64(MESSAGE.user_us, LITTLE_ENDIAN)),
    system_us: Number(view.getBigUint64(MESSAGE.system_us, LITTLE_ENDIAN)),
    maxrss_kib: Number(view.getBigUint64(MESSAGE.maxrss_kib, LITTLE_ENDIAN)),
  };
}

/** Reads a wait status (bits/waitstatus.h of glibc): either an exit code or a signal. */
export function decodeStatus(
  status: number,
): { readonly exit_code?: number; readonly signal?: number; readonly core_dumped: boolean } {
  const signal = status & 0x7f;
  return signal === 0
    ? { exit_code: (status >> 8) & 0xff, core_dumped: false }
    : { signal, core_dumped: (status & 0x80) !== 0 };
}

function setBaseline(bytes: Uint8Array, baseline: Baseline): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(CONFIG.parts, baseline.parts.reduce((sum, part) => sum | PART[part], 0), LITTLE_ENDIAN);
  view.setBigUint64(CONFIG.capabilities, BigInt.asUintN(64, baseline.capabilities), LITTLE_ENDIAN);
  const ports = encodePorts(baseline.ports ?? {});
  bytes.set(ports.rows, CONFIG.ports);
  view.setUint32(CONFIG.port_count, ports.rows.byteLength / PORT_BYTES, LITTLE_ENDIAN);
  view.setUint32(CONFIG.port_access, ports.access, LITTLE_ENDIAN);
  const places = encodePlaces(baseline.places);
  bytes.set(places, CONFIG.places);
  view.setUint32(CONFIG.places_bytes, places.byteLength, LITTLE_ENDIAN);
}

function setPath(bytes: Uint8Array, offset: number, path: string): void {
  const encoded = new TextEncoder().encode(path);
  if (encoded.byteLength >= PATH_BYTES || encoded.includes(0)) {
    throw new RangeError(`shorten the path, at most ${PATH_BYTES - 1} bytes without NUL: ${path.slice(0, 64)}`);
  }
  bytes.set(encoded, offset);
}
