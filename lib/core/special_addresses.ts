/**
 * Addresses that no public name should lead to: this host, private networks, the link, what is reserved. What a name
 * permits does not hold for them, or whoever answers for an allowed name could open them (DNS rebinding). The programs
 * in the kernel keep the same list (`special_purpose` in probes/).
 */

/** A network of special purpose: 4 or 16 bytes and the bits that count. Source: RFC 6890 and its IANA registries. */
interface SpecialNetwork {
  readonly bytes: readonly number[];
  readonly prefix_bits: number;
}

const V4: readonly SpecialNetwork[] = [
  { bytes: [0], prefix_bits: 8 }, // this network
  { bytes: [10], prefix_bits: 8 }, // private
  { bytes: [100, 64], prefix_bits: 10 }, // shared by carriers
  { bytes: [127], prefix_bits: 8 }, // loopback
  { bytes: [169, 254], prefix_bits: 16 }, // link, with the metadata services of clouds
  { bytes: [172, 16], prefix_bits: 12 }, // private
  { bytes: [192, 0, 0], prefix_bits: 24 }, // protocol assignments
  { bytes: [192, 168], prefix_bits: 16 }, // private
  { bytes: [198, 18], prefix_bits: 15 }, // benchmarks
  { bytes: [224], prefix_bits: 3 }, // multicast, reserved, broadcast
];

const V6: readonly SpecialNetwork[] = [
  { bytes: [], prefix_bits: 96 }, // unspecified, loopback, and IPv4 addresses in their oldest form
  { bytes: [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], prefix_bits: 96 }, // translated to IPv4
  { bytes: [0, 0x64, 0xff, 0x9b, 0, 1], prefix_bits: 48 }, // the same, locally
  { bytes: [0x20, 0x02], prefix_bits: 16 }, // tunnels to IPv4 (6to4)
  { bytes: [0xfc], prefix_bits: 7 }, // private
  { bytes: [0xfe, 0x80], prefix_bits: 10 }, // link
  { bytes: [0xff], prefix_bits: 8 }, // multicast
];

/** True for an address of special purpose, 4 or 16 bytes; a v4-mapped one (`::ffff:a.b.c.d`) counts as its IPv4. */
export function isSpecialPurpose(address: Uint8Array): boolean {
  if (address.length === 4) return V4.some((network) => holds(network, address));
  if (address.length !== 16) return true;
  return isV4Mapped(address) ? isSpecialPurpose(address.subarray(12)) : V6.some((network) => holds(network, address));
}

function holds({ bytes, prefix_bits }: SpecialNetwork, address: Uint8Array): boolean {
  for (let i = 0; 8 * i < prefix_bits; i++) {
    const mask = (0xff00 >> Math.min(8, prefix_bits - 8 * i)) & 255;
    if (((bytes[i] ?? 0) & mask) !== ((address[i] ?? 0) & mask)) return false;
  }
  return true;
}

function isV4Mapped(address: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  return address[10] === 255 && address[11] === 255;
}
