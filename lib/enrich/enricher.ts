/** Adds to each decoded record who did it and for which session, and keeps the process table true. */
import {
  type Clock,
  type Enriched,
  type Event,
  type Facts,
  type Observed,
  type ProcessInfo,
  startText,
} from "../core/mod.ts";
import type { AddressNames } from "./address_names.ts";
import { withNames } from "./net_names.ts";
import type { NameResolver } from "./names.ts";
import { type KnownProcess, type ProcessTable, shownProcess } from "./process_table.ts";
import type { SessionTable } from "./session_table.ts";

/** What an enricher works with; it owns none of it but may change the process table. */
export interface EnricherParts {
  readonly processes: ProcessTable;
  readonly sessions: SessionTable;
  readonly names: NameResolver;
  readonly hosts: AddressNames;
  readonly clock: Clock;
  /** CLOCK_BOOTTIME now, microseconds: the clock of the records. */
  readonly bootUs: () => number;
  /** Told when an exec matched an `[[agent]]` entry; makes the session that later records belong to. */
  readonly onAgent?: (scope: number, process: ProcessInfo) => void;
}

/** How often the distance between the wall clock and the boot clock is measured again, microseconds. */
const OFFSET_EVERY_US = 1_000_000;
/** Programs remembered above a process. */
const LINEAGE_MAX = 32;
const CONTAINER_ID = /(?:^|[^0-9a-f])([0-9a-f]{64})(?:$|[^0-9a-f])/;

/** The enrich stage. Does no I/O but what `names` does for changes of the tree. */
export class Enricher {
  readonly #parts: EnricherParts;
  #offset_us = 0;
  #offset_until_us = -1;

  constructor(parts: EnricherParts) {
    this.#parts = parts;
  }

  /** One record; `undefined` where it holds neither an action nor facts for the record. */
  enrich(observed: Observed): Enriched | undefined {
    const time_us = this.#wallUs(observed.boot_us);
    const facts = observed.facts;
    if (facts.kind === "exec") return this.#exec(observed, facts, time_us);
    if (facts.kind === "dns") return this.#dns(observed, facts, time_us);
    const process = this.#process(observed);
    const session = this.#parts.sessions.get(observed.scope !== 0 ? observed.scope : process.scope);
    switch (facts.kind) {
      case "gap":
        return { kind: "gap", time_us, session, shown: process.shown, gap: facts.gap };
      case "close":
        return {
          kind: "bytes",
          time_us,
          session,
          shown: process.shown,
          file: { dev: facts.dev, ino: facts.ino },
          read_bytes: facts.read_bytes,
          written_bytes: facts.written_bytes,
        };
      case "fork":
        this.#fork(observed, facts, process);
        break;
      case "exit":
        this.#parts.processes.remove(process);
        break;
      default:
        break;
    }
    if (observed.action === undefined) return undefined;
    const action = facts.kind === "names"
      ? this.#parts.names.resolve(observed.action, facts.nofollow !== true)
      : observed.action;
    const opened = facts.kind === "open" && facts.opened;
    // Every field is there, so that all events have one shape: spreading what is known costs ten times as much.
    const event: Event = {
      time_us,
      session,
      process: process.info,
      shown: process.shown,
      action,
      ancestors: process.lineage,
      base: facts.kind === "open" || facts.kind === "names" ? facts.base : undefined,
      new_base: facts.kind === "names" ? facts.new_base : undefined,
      file: opened ? { dev: facts.dev, ino: facts.ino } : undefined,
      kernel: observed.kernel,
      held: observed.held === undefined ? undefined : true,
      decided: observed.held?.decided,
      refused: observed.held?.refused,
    };
    if (facts.kind !== "named") return { kind: "event", event };
    return { kind: "event", event: withNames(event, this.#parts.hosts, facts.decided_us) };
  }

  /** Remembers a process that ran before the probes did. */
  adopt(scope: number, info: ProcessInfo): void {
    const start = BigInt(info.start);
    this.#parts.processes.put({
      info,
      shown: shownProcess(info),
      scope,
      start_low: Number(start & 0xffff_ffffn),
      start_high: Number(start >> 32n),
    });
  }

  #exec(observed: Observed, facts: Extract<Facts, { kind: "exec" }>, time_us: number): Enriched | undefined {
    if (observed.action?.type !== "exec") return undefined;
    const action = this.#parts.names.resolve(observed.action, true);
    if (action.type !== "exec") return undefined;
    const container = CONTAINER_ID.exec(facts.cgroup)?.[1];
    const info: ProcessInfo = {
      pid: observed.pid,
      start: startText(observed.start_low, observed.start_high),
      ppid: facts.ppid,
      uid: facts.uid,
      exe: facts.exe,
      argv: action.argv,
      ...(action.cwd === undefined ? undefined : { cwd: action.cwd }),
      ...(container === undefined ? undefined : { container_id: container }),
    };
    // `by` in a rule is the caller: the image that this process ran until now.
    const caller = this.#parts.processes.find(observed.pid, observed.start_low, observed.start_high);
    const lineage = caller?.lineage;
    this.#put(observed, info, lineage);
    if (facts.agent_index >= 0) this.#parts.onAgent?.(observed.scope, info);
    const session = this.#parts.sessions.get(observed.scope);
    const event: Event = {
      time_us,
      ...(session === undefined ? undefined : { session }),
      process: caller?.info ?? { pid: info.pid, start: info.start, ppid: facts.ppid, uid: facts.uid },
      shown: info,
      action,
      ...(lineage === undefined ? undefined : { ancestors: lineage }),
      ...(observed.kernel === undefined ? undefined : { kernel: observed.kernel }),
      held: observed.held === undefined ? undefined : true,
      decided: observed.held?.decided,
      refused: observed.held?.refused,
    };
    return { kind: "event", event };
  }

  /** An answer belongs to a session; which of its processes asked, nobody can say. */
  #dns(observed: Observed, facts: Extract<Facts, { kind: "dns" }>, time_us: number): Enriched | undefined {
    const { action, boot_us } = observed;
    if (action?.type !== "net.dns") return undefined;
    this.#parts.hosts.learn(action.name, action.answers, { now_us: boot_us, expires_us: facts.expires_us });
    return { kind: "event", event: { time_us, session: this.#parts.sessions.get(observed.scope), action } };
  }

  #fork(observed: Observed, facts: Extract<Facts, { kind: "fork" }>, parent: KnownProcess): void {
    const start = BigInt(facts.child_start);
    const info: ProcessInfo = {
      ...parent.info,
      pid: facts.child_pid,
      start: facts.child_start,
      ppid: observed.pid,
      uid: facts.uid,
    };
    const above = parent.lineage ?? [];
    this.#parts.processes.put({
      info,
      shown: shownProcess(info),
      scope: observed.scope,
      start_low: Number(start & 0xffff_ffffn),
      start_high: Number(start >> 32n),
      lineage: parent.info.exe === undefined ? above : [parent.info.exe, ...above].slice(0, LINEAGE_MAX),
    });
  }

  /**
   * The acting process; one that is not known yet is remembered by its identity alone. Bytes may be told after the end
   * of their process, and its end may be told twice: these must not bring it back.
   */
  #process(observed: Observed): KnownProcess {
    const { pid, start_low, start_high } = observed;
    const known = this.#parts.processes.find(pid, start_low, start_high);
    if (known !== undefined) return known;
    const info: ProcessInfo = { pid, start: startText(start_low, start_high) };
    const kind = observed.facts.kind;
    if (kind === "close" || kind === "exit") return { info, shown: info, scope: observed.scope, start_low, start_high };
    return this.#put(observed, info, undefined);
  }

  #put(observed: Observed, info: ProcessInfo, lineage: readonly string[] | undefined): KnownProcess {
    const process: KnownProcess = {
      info,
      shown: shownProcess(info),
      scope: observed.scope,
      start_low: observed.start_low,
      start_high: observed.start_high,
      ...(lineage === undefined ? undefined : { lineage }),
    };
    this.#parts.processes.put(process);
    return process;
  }

  #wallUs(boot_us: number): number {
    if (boot_us > this.#offset_until_us) {
      const now_us = this.#parts.bootUs();
      this.#offset_us = this.#parts.clock.wallUs() - now_us;
      this.#offset_until_us = now_us + OFFSET_EVERY_US;
    }
    return Math.round(boot_us + this.#offset_us);
  }
}
