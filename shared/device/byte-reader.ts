/**
 * Reads and writes the fields of a device frame: little endian, nothing aligned, strings of ASCII with their length before
 * them. Owns never reading past the end; leaves out what the fields mean.
 */
import { FrameError } from './frame-error.ts';

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  i16(): number {
    return this.#view.getInt16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  /** A finite number, or the frame is refused: no message here can mean anything by another. */
  f32(): number {
    const value = this.#view.getFloat32(this.#take(4), true);
    if (!Number.isFinite(value)) throw new FrameError('bad_payload', 'a number is not finite');
    return value;
  }
  /** A copy: the frame's memory may be used again. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const from = this.#take(count);
    return this.#bytes.slice(from, from + count);
  }
  rest(): Uint8Array<ArrayBuffer> {
    return this.bytes(this.#bytes.length - this.#at);
  }
  /** Printable ASCII, its length in one byte before it. */
  text(maxLength: number): string {
    const length = this.u8();
    if (length > maxLength)
      throw new FrameError('bad_payload', `a text has ${length} characters, ${maxLength} allowed`);
    let text = '';
    for (let index = 0; index < length; index += 1) {
      const code = this.u8();
      if (code < 0x20 || code > 0x7e) throw new FrameError('bad_payload', 'a text holds something else than ASCII');
      text += String.fromCharCode(code);
    }
    return text;
  }
  /** Call last: bytes that nobody asked for are not ignored. */
  end(): void {
    if (this.#at !== this.#bytes.length) {
      throw new FrameError('bad_payload', `${this.#bytes.length - this.#at} bytes too many`);
    }
  }

  #take(count: number): number {
    const from = this.#at;
    if (from + count > this.#bytes.length) throw new FrameError('bad_payload', 'the payload ends early');
    this.#at = from + count;
    return from;
  }
}
