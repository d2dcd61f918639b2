/**
 * SHA-256 and HMAC-SHA-256, synchronous (FIPS 180-4, RFC 2104). Owns the digests of short messages; leaves long ones to
 * WebCrypto, which is faster per byte but answers only by promise, and in workerd every promise of the platform costs
 * a turn of its event loop: four of them made up a third of an escalated request's CPU.
 */

const BLOCK_BYTES = 64;
const HASH_WORDS = 8;
/** Bytes of a block left for data in the last block: one is 0x80, eight are the length. */
const LAST_BLOCK_DATA_BYTES = 55;

/** Fractional parts of the cube and square roots of the first primes, as the standard defines them. */
const { roundConstants, initialHash } = deriveConstants();

function deriveConstants(): { roundConstants: Int32Array; initialHash: Int32Array } {
  const cubes: number[] = [];
  const squares: number[] = [];
  const fraction = (root: number): number => ((root - Math.floor(root)) * 2 ** 32) | 0;
  for (let candidate = 2; cubes.length < BLOCK_BYTES; candidate += 1) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) prime &&= candidate % divisor !== 0;
    if (!prime) continue;
    cubes.push(fraction(Math.cbrt(candidate)));
    if (squares.length < HASH_WORDS) squares.push(fraction(Math.sqrt(candidate)));
  }
  return { roundConstants: Int32Array.from(cubes), initialHash: Int32Array.from(squares) };
}

const schedule = new Int32Array(BLOCK_BYTES);

/** Mixes one block of `bytes` at `offset` into `hash`. A shared accessor for the two kinds of array would halve the speed. */
function compress(hash: Int32Array, bytes: Uint8Array, offset: number): void {
  const w = schedule;
  for (let i = 0, from = offset; i < 16; i += 1, from += 4) {
    w[i] =
      ((bytes[from] ?? 0) << 24) |
      ((bytes[from + 1] ?? 0) << 16) |
      ((bytes[from + 2] ?? 0) << 8) |
      (bytes[from + 3] ?? 0);
  }
  for (let i = 16; i < 64; i += 1) {
    const x = w[i - 15] ?? 0;
    const y = w[i - 2] ?? 0;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = ((w[i - 16] ?? 0) + s0 + (w[i - 7] ?? 0) + s1) | 0;
  }
  let a = hash[0] ?? 0;
  let b = hash[1] ?? 0;
  let c = hash[2] ?? 0;
  let d = hash[3] ?? 0;
  let e = hash[4] ?? 0;
  let f = hash[5] ?? 0;
  let g = hash[6] ?? 0;
  let h = hash[7] ?? 0;
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (roundConstants[i] ?? 0) + (w[i] ?? 0)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  hash[0] = ((hash[0] ?? 0) + a) | 0;
  hash[1] = ((hash[1] ?? 0) + b) | 0;
  hash[2] = ((hash[2] ?? 0) + c) | 0;
  hash[3] = ((hash[3] ?? 0) + d) | 0;
  hash[4] = ((hash[4] ?? 0) + e) | 0;
  hash[5] = ((hash[5] ?? 0) + f) | 0;
  hash[6] = ((hash[6] ?? 0) + g) | 0;
  hash[7] = ((hash[7] ?? 0) + h) | 0;
}

/** Finishes `hash`, into which `before` bytes were mixed already, with the message's bytes. */
function finish(hash: Int32Array, before: number, message: Uint8Array): Int32Array {
  let offset = 0;
  for (; offset + BLOCK_BYTES <= message.length; offset += BLOCK_BYTES) compress(hash, message, offset);
  const rest = message.length - offset;
  const tail = new Uint8Array(rest > LAST_BLOCK_DATA_BYTES ? 2 * BLOCK_BYTES : BLOCK_BYTES);
  tail.set(message.subarray(offset));
  tail[rest] = 0x80;
  const view = new DataView(tail.buffer);
  const bits = (before + message.length) * 8;
  view.setUint32(tail.length - 8, Math.floor(bits / 2 ** 32));
  view.setUint32(tail.length - 4, bits >>> 0);
  for (let block = 0; block < tail.length; block += BLOCK_BYTES) compress(hash, tail, block);
  return hash;
}

function toBytes(hash: Int32Array): Uint8Array {
  const bytes = new Uint8Array(HASH_WORDS * 4);
  const view = new DataView(bytes.buffer);
  hash.forEach((word, index) => view.setInt32(index * 4, word));
  return bytes;
}

export function sha256(message: Uint8Array): Uint8Array {
  return toBytes(finish(initialHash.slice(), 0, message));
}

/** A key whose two pads are mixed in already: what remains is the message and one block. */
export type HmacKey = { readonly inner: Int32Array; readonly outer: Int32Array };

export function hmacKey(key: Uint8Array): HmacKey {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(key.length > BLOCK_BYTES ? sha256(key) : key);
  const pad = (value: number): Int32Array => {
    const hash = initialHash.slice();
    compress(
      hash,
      block.map((byte) => byte ^ value),
      0,
    );
    return hash;
  };
  return { inner: pad(0x36), outer: pad(0x5c) };
}

export function hmacSha256(key: HmacKey, message: Uint8Array): Uint8Array {
  const inner = toBytes(finish(key.inner.slice(), BLOCK_BYTES, message));
  return toBytes(finish(key.outer.slice(), BLOCK_BYTES, inner));
}

const HEX = Array.from({ length: 256 }, (_unused, byte) => byte.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte] ?? '';
  return text;
}
