/** Which of the names of an address an entry shows. */
import type { Event, Ruling } from "../core/mod.ts";
import type { ActivePolicy } from "./active_policy.ts";

/** The event with the name that the deciding rule asks for; the latest one where it asks for none. */
export function withDecidingHost(event: Event, ruling: Ruling, policy: Pick<ActivePolicy, "hostOf">): Event {
  const { action, host_sources } = event;
  if (!("hosts" in action) || action.hosts === undefined || ruling.rule_index < 0) return event;
  const host = policy.hostOf(ruling.rule_index, action.hosts);
  if (host === undefined || host === action.host) return event;
  const host_source = host_sources?.[action.hosts.indexOf(host)];
  return { ...event, action: { ...action, host, ...(host_source === undefined ? undefined : { host_source }) } };
}
