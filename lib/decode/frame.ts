/** Reading one record: bounds, header fields, strings. Total: any bytes give values or an error. */
import { AgRecord } from "../../probes/abi.gen.ts";
import { TextCache } from "./text_cache.ts";

/** A borrowed record: valid only until the source releases it. Reused from record to record. */
export class Frame {
  view: DataView = new DataView(new ArrayBuffer(0));
  bytes: Uint8Array = new Uint8Array(0);
  #text: Buffer = Buffer.alloc(0);
  readonly #cache = new TextCache((from, to) => this.#text.toString("utf8", from, to));
  /** Offset of the record in `view`. */
  at = 0;
  size = 0;

  /** Points at memory; records in it are then chosen with `at` and `size`. */
  attach(view: DataView, bytes: Uint8Array): void {
    if (this.bytes === bytes) return;
    this.view = view;
    this.bytes = bytes;
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(offset: number): number {
    return this.view.getUint8(this.at + offset);
  }

  u16(offset: number): number {
    return this.view.getUint16(this.at + offset, true);
  }

  u32(offset: number): number {
    return this.view.getUint32(this.at + offset, true);
  }

  i32(offset: number): number {
    return this.view.getInt32(this.at + offset, true);
  }

  /** A 64-bit value as a number: exact to 2^53, enough for sizes, inodes and microseconds. */
  u64(offset: number): number {
    return this.u32(offset + 4) * 0x1_0000_0000 + this.u32(offset);
  }

  get op(): number {
    return this.u16(AgRecord.op);
  }

  get flags(): number {
    return this.u8(AgRecord.flags);
  }

  /** UTF-8 text of `length` bytes at `offset`; cut at the record's end; invalid sequences become U+FFFD. */
  text(offset: number, length: number): string {
    const from = this.at + Math.min(offset, this.size);
    return this.#cache.get(this.view, from, this.at + Math.min(offset + length, this.size) - from);
  }

  /** True if the two byte ranges of the record are equal. */
  same(a: number, b: number, length: number): boolean {
    for (let i = 0; i < length; i++) {
      if (this.bytes[this.at + a + i] !== this.bytes[this.at + b + i]) return false;
    }
    return true;
  }
}
