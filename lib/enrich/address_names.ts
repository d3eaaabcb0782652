/**
 * The names of addresses, as the kernel has them: from answers of resolvers that reached a session, each name as long
 * as its own answers hold, and from `/etc/hosts`. Bounded: the address that was learned longest ago goes first, and of
 * an address the name.
 */
import { type AddressName, type HostSource, invariant, LIMITS } from "../core/mod.ts";

/** The names of one address. */
export interface FoundNames {
  /** The latest first, those of `/etc/hosts` at the end; never empty. */
  readonly hosts: readonly string[];
  /** Where each comes from. */
  readonly sources: readonly HostSource[];
  /** The address has, or had, more names than are kept. */
  readonly cut: boolean;
}

/** A name while it holds. */
interface Learned {
  readonly name: string;
  readonly expires_us: number;
}

/** The names of one address from answers. */
interface Known {
  /** The latest first. */
  readonly names: readonly Learned[];
  /** Until when a name that was dropped for the bound may hold. */
  readonly cut_until_us: number;
}

/** What `/etc/hosts` says, see `parseHosts`. */
export type PermanentNames = ReadonlyMap<string, readonly string[]>;

/** Names by address text, as records have it. Times are those of the boot clock, microseconds. */
export class AddressNames {
  readonly #known: Map<string, Known> = new Map();
  readonly #permanent: PermanentNames;
  readonly #max: number;

  constructor(permanent: PermanentNames = new Map(), max: number = LIMITS.named_addresses_max) {
    invariant(max > 0, "keep names of at least one address");
    this.#permanent = permanent;
    this.#max = max;
  }

  /** Addresses with learned names, expired ones among them. */
  get size(): number {
    return this.#known.size;
  }

  /** Takes an answer in. A name that is known already holds until the later of both times. */
  learn(
    name: string,
    addresses: readonly string[],
    at: { readonly now_us: number; readonly expires_us: number },
  ): void {
    for (const address of addresses) this.#learn(name, address, at);
  }

  /** The names that hold; `undefined` where there is none. */
  find(address: string, now_us: number): FoundNames | undefined {
    const known = this.#known.get(address);
    const permanent = this.#permanent.get(address) ?? NO_NAMES;
    const learned = known === undefined ? NO_NAMES : living(known, now_us).map(({ name }) => name);
    const hosts = [...learned, ...permanent.filter((name) => !learned.includes(name))];
    if (hosts.length === 0) return undefined;
    const dropped = known !== undefined && known.cut_until_us > now_us;
    return {
      hosts,
      sources: hosts.map((_, i) => i < learned.length ? "dns" : "hosts"),
      cut: dropped || permanent.length >= LIMITS.address_names_max,
    };
  }

  /** Every name that holds, those of `/etc/hosts` first. */
  *live(now_us: number): IterableIterator<AddressName> {
    for (const [address, names] of this.#permanent) {
      for (const name of names) yield { address, name, expires_us: Infinity };
    }
    for (const [address, known] of this.#known) {
      for (const { name, expires_us } of living(known, now_us)) yield { address, name, expires_us };
    }
  }

  #learn(
    name: string,
    address: string,
    { now_us, expires_us }: { readonly now_us: number; readonly expires_us: number },
  ): void {
    const before = this.#known.get(address);
    const others = before === undefined ? NO_LEARNED : living(before, now_us).filter((each) => each.name !== name);
    const same = before?.names.find((each) => each.name === name);
    const names = [{ name, expires_us: Math.max(expires_us, same?.expires_us ?? 0) }, ...others];
    const dropped = names.splice(LIMITS.address_names_max);
    const cut_until_us = dropped.reduce((until, each) => Math.max(until, each.expires_us), before?.cut_until_us ?? 0);
    // Deleting first moves the address to the end: the map's order is that of the last answer.
    this.#known.delete(address);
    this.#known.set(address, { names, cut_until_us });
    if (this.#known.size <= this.#max) return;
    const oldest = this.#known.keys().next();
    if (!oldest.done) this.#known.delete(oldest.value);
  }
}

const NO_NAMES: readonly string[] = [];
const NO_LEARNED: readonly Learned[] = [];

function living({ names }: Known, now_us: number): readonly Learned[] {
  return names.filter(({ expires_us }) => expires_us > now_us);
}
