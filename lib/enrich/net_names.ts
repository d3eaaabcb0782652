/** Names on network actions. */
import { type Event, LIMITS } from "../core/mod.ts";
import type { AddressNames } from "./address_names.ts";

/**
 * A connection to an address that had a name when the kernel decided, with its names. Where they are not surely those
 * that the kernel knew, the action says so, and a difference between its verdict and the policy's is no alarm.
 */
export function withNames(event: Event, names: AddressNames, decided_us: number): Event {
  const { action, kernel } = event;
  if (action.type !== "net.connect" && action.type !== "net.send") return event;
  const found = names.find(action.address, decided_us);
  const unsure = found === undefined || found.cut || found.hosts.length > LIMITS.kernel_address_names_max;
  const said = unsure && kernel !== undefined ? { ...kernel, names_unsure: true as const } : kernel;
  if (found === undefined) return { ...event, action: { ...action, missing: ["host"] }, kernel: said };
  const { hosts, sources, cut } = found;
  const [host = "", ...others] = hosts;
  return {
    ...event,
    action: {
      ...action,
      host,
      ...(others.length === 0 ? undefined : { hosts }),
      host_source: sources[0] ?? "dns",
      ...(cut ? { missing: ["hosts"] } : undefined),
    },
    kernel: said,
    host_sources: sources,
  };
}

/** The same where nobody has said that the address has a name: without one the event stays as it is. */
export function withKnownNames(event: Event, names: AddressNames, boot_us: number): Event {
  const { action } = event;
  if (action.type !== "net.connect" && action.type !== "net.send") return event;
  return names.find(action.address, boot_us) === undefined ? event : withNames(event, names, boot_us);
}
