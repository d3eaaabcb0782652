/**
 * A policy in the form that kernel maps can hold: data only. `decide` makes it, `act` writes it.
 * Rules are named by their index in the snapshot, so that the kernel's verdicts can be re-evaluated.
 */

/** An IPv4 (4 bytes) or IPv6 (16 bytes) network. */
export interface Cidr {
  readonly bytes: Uint8Array;
  readonly prefix_bits: number;
}

/** Inclusive range, 0-65535. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Host names that a kernel table can hold: one name, or with `suffix` every name that ends with the text. */
export interface HostGlob {
  readonly suffix: boolean;
  /** Lower case, without a final dot; with `suffix` it may be empty: every name. */
  readonly text: string;
}

/**
 * What a packet filter can ask. An empty list means "any". What permits by `hosts` and has no `cidrs` does not hold for
 * addresses of special purpose, see `isSpecialPurpose`.
 */
export interface NetMatch {
  readonly cidrs: readonly Cidr[];
  readonly ports: readonly PortRange[];
  readonly protocols: readonly ("tcp" | "udp")[];
  /** Any name of the address; absent or empty: the address needs none. */
  readonly hosts?: readonly HostGlob[];
}

/** Network actions that cgroup programs decide. */
export type NetActionName = "net.connect" | "net.send" | "net.bind";

/** One rule for the cgroup programs. `ask` refuses like `deny` until an approver exists. */
export interface LoweredNetRule {
  readonly rule_index: number;
  readonly verdict: "deny" | "ask" | "allow";
  readonly actions: readonly NetActionName[];
  readonly match: NetMatch;
  /** The rule does not hold where all given parts of this hold. */
  readonly except?: NetMatch;
}

/** One rule for the program at `sched_process_exec`. Any of the lists may match. */
export interface LoweredExecRule {
  readonly rule_index: number;
  readonly verdict: "deny" | "ask" | "allow";
  /** Absolute paths, resolved or requested. */
  readonly paths: readonly string[];
  /** Base names. */
  readonly names: readonly string[];
  /** Directories, without a final slash: everything below them. */
  readonly trees: readonly string[];
}

/** Actions that programs at security hooks decide. */
export type FileActionName =
  | "file.read"
  | "file.write"
  | "file.create"
  | "file.truncate"
  | "file.delete"
  | "file.mkdir"
  | "file.rmdir"
  | "file.chmod"
  | "file.chown"
  | "file.mknod"
  | "file.rename"
  | "file.link"
  | "file.symlink"
  | "unix.connect";

/** One rule for the programs at security hooks; it refuses. Any of the lists may match a resolved name. */
export interface LoweredFileRule {
  readonly rule_index: number;
  readonly actions: readonly FileActionName[];
  /** Absolute paths. */
  readonly paths: readonly string[];
  /** Last components. */
  readonly names: readonly string[];
  /** Ends of last components, from their only dot on. */
  readonly extensions: readonly string[];
  /** Directories, without a final slash: they and everything below them. */
  readonly trees: readonly string[];
}

/** One rule for the programs that see addresses of unix sockets; it refuses. Any of the lists may match. */
export interface LoweredUnixRule {
  readonly rule_index: number;
  /** Absolute paths, and abstract names behind an `@`. */
  readonly paths: readonly string[];
  /** Last components. */
  readonly names: readonly string[];
  /** Directories, without a final slash: everything below them. */
  readonly trees: readonly string[];
}

/** The kernel's copy. */
export interface LoweredPolicy {
  readonly generation: number;
  readonly net: readonly LoweredNetRule[];
  /** What happens where no net rule matches. */
  readonly net_default: Readonly<Record<NetActionName, "allow" | "deny">>;
  readonly exec: readonly LoweredExecRule[];
  readonly exec_default: "allow" | "deny";
  /** Some rule asks for host names, or for the answers of resolvers: they are to be watched. */
  readonly names?: boolean;
  /** Only for a host whose cgroup programs see addresses of unix sockets. */
  readonly unix?: readonly LoweredUnixRule[];
  /** Only for a host that has security hooks. */
  readonly files?: readonly LoweredFileRule[];
}
