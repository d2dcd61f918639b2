/**
 * CRC-32 (IEEE 802.3, reflected, as zlib has it). Owns the checksum of a device frame; sixteen table entries, because a
 * device keeps the same ones in 64 bytes of flash.
 */

const NIBBLES = Uint32Array.from({ length: 16 }, (_unused, nibble) => {
  let value = nibble;
  for (let bit = 0; bit < 4; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let index = 0; index < bytes.length; index += 1) {
    crc ^= bytes[index] ?? 0;
    crc = (crc >>> 4) ^ (NIBBLES[crc & 15] ?? 0);
    crc = (crc >>> 4) ^ (NIBBLES[crc & 15] ?? 0);
  }
  return ~crc >>> 0;
}
