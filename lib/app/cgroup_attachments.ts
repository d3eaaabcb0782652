/** Network programs on session cgroups, and the map that says whose cgroup it is. */
import { closeSync, constants, openSync } from "node:fs";
import type { HeldClasses, KernelProbes } from "../source/mod.ts";

interface Attachment {
  readonly directory: string;
  readonly links: Disposable | undefined;
  /** Programs that learn names from DNS answers; only where the policy asks for names. */
  names: Disposable | undefined;
  readonly key: Uint8Array;
}

/** By scope. Disposing detaches all. */
export class SessionCgroupAttachments implements Disposable {
  readonly #probes: KernelProbes;
  readonly #by_scope: Map<number, Attachment> = new Map();
  #wants_names = false;

  constructor(probes: KernelProbes) {
    this.#probes = probes;
  }

  /** Attaches to the leaf of a session, before anything of it runs; `held`: see `attachCgroup`. Throws `io`. */
  attach(
    scope: number,
    cgroup: { readonly directory: string; readonly id: string },
    held: Pick<HeldClasses, "connect" | "send">,
  ): void {
    const { directory } = cgroup;
    using attached = new DisposableStack();
    const links = this.#attach("network", directory, (fd) => this.#probes.attachCgroup(fd, held));
    if (links !== undefined) attached.use(links);
    const names = this.#wants_names ? this.#attachNames(directory) : undefined;
    if (names !== undefined) attached.use(names);
    const key = new Uint8Array(8);
    new DataView(key.buffer).setBigUint64(0, BigInt(cgroup.id), true);
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, scope, true);
    this.#probes.map("cgroups").update(key, value);
    attached.move();
    this.#by_scope.set(scope, { directory, links, names, key });
  }

  /** Whether answers of resolvers are looked at from now on, in every session. Throws `io`. */
  learnNames(wanted: boolean): void {
    this.#wants_names = wanted;
    for (const attachment of this.#by_scope.values()) {
      if (wanted) attachment.names ??= this.#attachNames(attachment.directory);
      else {
        attachment.names?.[Symbol.dispose]();
        attachment.names = undefined;
      }
    }
  }

  /** Detaches from a session's leaf; does nothing where there is none. */
  detach(scope: number): void {
    const attachment = this.#by_scope.get(scope);
    if (attachment === undefined) return;
    this.#by_scope.delete(scope);
    this.#probes.map("cgroups").remove(attachment.key);
    attachment.links?.[Symbol.dispose]();
    attachment.names?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const scope of [...this.#by_scope.keys()]) this.detach(scope);
  }

  #attachNames(directory: string): Disposable | undefined {
    return this.#attach("names", directory, (fd) => this.#probes.attachNames(fd));
  }

  /** `undefined` where this kernel does not take the group. */
  #attach(group: "network" | "names", directory: string, attach: (fd: number) => Disposable): Disposable | undefined {
    if (!this.#probes.has(group)) return undefined;
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return attach(fd);
    } finally {
      closeSync(fd);
    }
  }
}
