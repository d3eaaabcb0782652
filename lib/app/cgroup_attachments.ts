/** Network programs on session cgroups, and the map that says whose cgroup it is. */
import { closeSync, constants, openSync } from "node:fs";
import type { HeldClasses, KernelProbes } from "../source/mod.ts";

interface Attachment {
  readonly links: Disposable | undefined;
  readonly key: Uint8Array;
}

/** By scope. Disposing detaches all. */
export class SessionCgroupAttachments implements Disposable {
  readonly #probes: KernelProbes;
  readonly #by_scope: Map<number, Attachment> = new Map();

  constructor(probes: KernelProbes) {
    this.#probes = probes;
  }

  /** Attaches to the leaf of a session, before anything of it runs; `held`: see `attachCgroup`. Throws `io`. */
  attach(
    scope: number,
    cgroup: { readonly directory: string; readonly id: string },
    held: Pick<HeldClasses, "connect" | "send">,
  ): void {
    const fd = openSync(cgroup.directory, constants.O_RDONLY | constants.O_DIRECTORY);
    let links: Disposable | undefined;
    try {
      if (this.#probes.has("network")) links = this.#probes.attachCgroup(fd, held);
    } finally {
      closeSync(fd);
    }
    const key = new Uint8Array(8);
    new DataView(key.buffer).setBigUint64(0, BigInt(cgroup.id), true);
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, scope, true);
    this.#probes.map("cgroups").update(key, value);
    this.#by_scope.set(scope, { links, key });
  }

  /** Detaches from a session's leaf; does nothing where there is none. */
  detach(scope: number): void {
    const attachment = this.#by_scope.get(scope);
    if (attachment === undefined) return;
    this.#by_scope.delete(scope);
    this.#probes.map("cgroups").remove(attachment.key);
    attachment.links?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const scope of [...this.#by_scope.keys()]) this.detach(scope);
  }
}
