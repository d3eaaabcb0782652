/** What commands give up because of a policy's rules, for people and as data. */
import { type AllowedPlaces, allowedPlaces, closedPlaces, type PolicySnapshot } from "../decide/mod.ts";
import { escapeText, formatWord } from "./format_text.ts";

/** A place that is masked where it is there. */
interface ShownClosed {
  readonly rule: string;
  readonly what: "file" | "socket";
  readonly path: string;
  readonly tree: boolean;
  /** False: exceptions may speak of something there, so each file is masked by itself. */
  readonly whole: boolean;
}

/** The document of `--json`. */
export interface ShownBaseline {
  readonly closed: readonly ShownClosed[];
  readonly allowed: AllowedPlaces;
}

const SHOWN_MAX = 8;

/** What the baseline takes from the rules; nothing where the policy does not enforce, or the settings leave it out. */
export function ruledBaseline(snapshot: PolicySnapshot, home: string | undefined): ShownBaseline {
  const { parts, write_trees, connect_ports, bind_ports } = snapshot.guard.baseline;
  const enforces = snapshot.mode === "enforce";
  const closed = enforces && parts.includes("mounts") ? closedPlaces(snapshot, home) : [];
  const allowed = enforces && parts.includes("scope") ? allowedPlaces(snapshot, home) : {};
  return {
    closed: closed.map(({ rule, what, path, tree, whole }) => ({ rule, what, path, tree, whole })),
    // What the settings list holds instead.
    allowed: {
      ...(write_trees === undefined && allowed.write_trees !== undefined ? { write_trees: allowed.write_trees } : {}),
      ...(connect_ports === undefined && allowed.connect_ports !== undefined
        ? { connect_ports: allowed.connect_ports }
        : {}),
      ...(bind_ports === undefined && allowed.bind_ports !== undefined ? { bind_ports: allowed.bind_ports } : {}),
    },
  };
}

/** A line for each kind. */
export function formatRuled({ closed, allowed }: ShownBaseline): readonly string[] {
  const { write_trees, connect_ports, bind_ports } = allowed;
  const places = [...new Set(closed.map(({ path, tree }) => formatWord(tree ? `${path}/**` : path)))];
  const more = places.length > SHOWN_MAX ? ` and ${places.length - SHOWN_MAX} more` : "";
  const list = (each: readonly (string | number)[]): string => escapeText(each.join(", "), 400) || "none";
  const lines = [
    ...(places.length === 0 ? [] : [`masked where it is there: ${places.slice(0, SHOWN_MAX).join(", ")}${more}`]),
    ...(write_trees === undefined ? [] : [`files change only below: ${list(write_trees)}, /dev, /proc`]),
    ...(connect_ports === undefined ? [] : [`TCP connections only to ports: ${list(connect_ports)}`]),
    ...(bind_ports === undefined ? [] : [`TCP servers only at ports: ${list(bind_ports)}`]),
  ];
  return lines.map((line) => `baseline, by these rules, also without the guard: ${line}`);
}
