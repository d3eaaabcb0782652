/** Reads what `bpftool btf dump file X -j` prints: the types that a compiled C file describes. */

/** One member of a struct or union. */
export interface BtfMember {
  /** Empty for an anonymous struct or union. */
  readonly name: string;
  readonly type_id: number;
  readonly bits_offset: number;
  readonly bitfield: boolean;
}

/** One type; kinds that the generator does not need keep only their kind. */
export type BtfType =
  | { readonly kind: "composite"; readonly name: string; readonly size: number; readonly members: readonly BtfMember[] }
  | {
    readonly kind: "enum";
    readonly name: string;
    readonly size: number;
    readonly values: readonly { readonly name: string; readonly value: number }[];
  }
  | { readonly kind: "array"; readonly type_id: number; readonly length: number }
  | { readonly kind: "alias"; readonly type_id: number }
  | { readonly kind: "other" };

/** Parses the JSON of bpftool into types by id; throws on anything that is not such JSON. */
export function parseBtf(json: string): ReadonlyMap<number, BtfType> {
  const document: unknown = JSON.parse(json);
  const types = new Map<number, BtfType>();
  for (const raw of list(record(document), "types")) {
    const entry = record(raw);
    types.set(numberOf(entry, "id"), parseType(entry));
  }
  return types;
}

function parseType(entry: Fields): BtfType {
  switch (entry["kind"]) {
    case "STRUCT":
    case "UNION":
      return { kind: "composite", name: nameOf(entry), size: numberOf(entry, "size"), members: members(entry) };
    case "ENUM":
    case "ENUM64":
      return {
        kind: "enum",
        name: nameOf(entry),
        size: numberOf(entry, "size"),
        values: list(entry, "values").map(record).map((value) => ({
          name: nameOf(value),
          value: numberOf(value, "val"),
        })),
      };
    case "ARRAY":
      return { kind: "array", type_id: numberOf(entry, "type_id"), length: numberOf(entry, "nr_elems") };
    case "TYPEDEF":
    case "CONST":
    case "VOLATILE":
      return { kind: "alias", type_id: numberOf(entry, "type_id") };
    default:
      return { kind: "other" };
  }
}

function members(entry: Fields): BtfMember[] {
  return list(entry, "members").map(record).map((member) => ({
    name: nameOf(member),
    type_id: numberOf(member, "type_id"),
    bits_offset: numberOf(member, "bits_offset"),
    bitfield: (member["bitfield_size"] ?? 0) !== 0,
  }));
}

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown): Fields {
  if (typeof value !== "object" || value === null) throw new Error(`expected an object in the BTF dump, got ${value}`);
  return Object.fromEntries(Object.entries(value));
}

function list(entry: Fields, key: string): readonly unknown[] {
  const value = entry[key];
  if (!Array.isArray(value)) throw new Error(`expected a list "${key}" in the BTF dump`);
  return value;
}

function numberOf(entry: Fields, key: string): number {
  const value = entry[key];
  if (typeof value !== "number") throw new Error(`expected a number "${key}" in the BTF dump`);
  return value;
}

function nameOf(entry: Fields): string {
  const name = entry["name"];
  if (typeof name !== "string") throw new Error('expected a "name" in the BTF dump');
  return name === "(anon)" ? "" : name;
}
