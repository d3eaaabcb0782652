/** BPF objects that this process holds by descriptors; other guards on the machine do not disturb the count. */
import { readdirSync, readFileSync } from "node:fs";
import { bpfObjects, waitUntil } from "../../support/mod.ts";

/** Each with its kind, as `link 12` (fdinfo of proc(5); the fields are those of kernel/bpf/syscall.c). */
export function ownBpfObjects(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const fd of readdirSync("/proc/self/fd")) {
    let text = "";
    try {
      text = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    } catch {
      continue; // the descriptor of the listing itself
    }
    // A link also names its program, so it comes first.
    for (const kind of ["link", "map", "prog"]) {
      const id = new RegExp(`^${kind}_id:\\s+(\\d+)$`, "m").exec(text)?.[1];
      if (id === undefined) continue;
      found.add(`${kind} ${id}`);
      break;
    }
  }
  return found;
}

/** Those of a kind that are not in `before`. */
export function newObjects(before: ReadonlySet<string>, kind: "link" | "map" | "prog"): readonly string[] {
  return [...ownBpfObjects()].filter((id) => id.startsWith(`${kind} `) && !before.has(id));
}

/** Waits until the kernel has none of these any more: it frees them a grace period after the last reference. */
export async function freed(objects: Iterable<string>): Promise<void> {
  const ids = [...objects];
  const left = async (): Promise<string[]> => {
    const all = await bpfObjects();
    return ids.filter((id) => all.has(id));
  };
  await waitUntil("the BPF objects are freed", async () => (await left()).length === 0, {
    detail: async () => (await left()).join(", "),
  });
}
