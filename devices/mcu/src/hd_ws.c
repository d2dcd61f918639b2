/*
 * As much of WebSocket (RFC 6455) as a device needs: the opening handshake, masked messages out, whole unmasked messages in.
 * A message in pieces is refused: the hub sends none. SHA-1 is here only because the handshake wants it.
 */
#include "hd.h"

#include <string.h>

static uint32_t rotate(uint32_t value, int bits) { return value << bits | value >> (32 - bits); }

/* FIPS 180-4, of at most 119 bytes: two blocks. */
static void sha1(const char *text, size_t count, uint8_t digest[20]) {
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  uint8_t padded[128] = {0};
  size_t blocks = count + 9 > 64 ? 2 : 1;
  memcpy(padded, text, count);
  padded[count] = 0x80;
  padded[blocks * 64 - 2] = (uint8_t)(count * 8 >> 8);
  padded[blocks * 64 - 1] = (uint8_t)(count * 8);
  for (size_t block = 0; block < blocks; block++) {
    uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) {
      const uint8_t *at = padded + block * 64 + 4 * i;
      w[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (int i = 0; i < 80; i++) {
      if (i >= 16) w[i & 15] = rotate(w[(i + 13) & 15] ^ w[(i + 8) & 15] ^ w[(i + 2) & 15] ^ w[i & 15], 1);
      uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
      uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
      uint32_t next = rotate(a, 5) + f + e + k + w[i & 15];
      e = d;
      d = c;
      c = rotate(b, 30);
      b = a;
      a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
  }
  for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *bytes, size_t count, char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < count; i += 3) {
    uint32_t group = (uint32_t)bytes[i] << 16 | (i + 1 < count ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (i + 2 < count ? bytes[i + 2] : 0u);
    *out++ = digits[group >> 18 & 63];
    *out++ = digits[group >> 12 & 63];
    *out++ = i + 1 < count ? digits[group >> 6 & 63] : '=';
    *out++ = i + 2 < count ? digits[group & 63] : '=';
  }
  *out = 0;
}

static size_t put(uint8_t *out, size_t at, size_t room, const char *text) {
  size_t count = strlen(text);
  if (at + count > room) return room + 1;
  memcpy(out + at, text, count);
  return at + count;
}

size_t hd_ws_request(uint8_t *out, size_t room, const hd_config *config, const uint8_t random[16], char accept[29]) {
  char key[25 + 36];
  uint8_t digest[20];
  base64(random, 16, key);
  const char *parts[] = {"GET /v1/devices/", config->device_id, "/connect HTTP/1.1\r\nHost: ", config->host,
                         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ", key,
                         "\r\nAuthorization: Bearer ", config->key, "\r\n\r\n"};
  size_t at = 0;
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) at = put(out, at, room, parts[i]);
  memcpy(key + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 37);
  sha1(key, 60, digest);
  base64(digest, 20, accept);
  return at > room ? 0 : at;
}

static int lower(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

int hd_ws_response(const uint8_t *bytes, size_t count, const char *accept) {
  static const char name[] = "\nsec-websocket-accept:";
  size_t head = 0;
  for (size_t i = 3; i < count && head == 0; i++) {
    if (memcmp(bytes + i - 3, "\r\n\r\n", 4) == 0) head = i + 1;
  }
  if (head == 0) return 0;
  if (head < 12 || memcmp(bytes, "HTTP/1.1 101", 12) != 0) return -1;
  for (size_t i = 0; i + sizeof name - 1 + 28 < head; i++) {
    size_t k = 0;
    while (k < sizeof name - 1 && lower(bytes[i + k]) == name[k]) k++;
    if (k < sizeof name - 1) continue;
    size_t value = i + k;
    while (value < head && bytes[value] == ' ') value++;
    return value + 28 <= head && memcmp(bytes + value, accept, 28) == 0 ? (int)head : -1;
  }
  return -1;
}

uint8_t *hd_ws_wrap(uint8_t *out, uint8_t opcode, const uint8_t mask[4], size_t payload_bytes, size_t *count) {
  uint8_t *payload = out + 8;
  size_t header = payload_bytes < 126 ? 6 : 8;
  uint8_t *start = payload - header;
  start[0] = (uint8_t)(0x80 | opcode);
  if (payload_bytes < 126) start[1] = (uint8_t)(0x80 | payload_bytes);
  else {
    start[1] = 0x80 | 126;
    start[2] = (uint8_t)(payload_bytes >> 8);
    start[3] = (uint8_t)payload_bytes;
  }
  memcpy(payload - 4, mask, 4);
  for (size_t i = 0; i < payload_bytes; i++) payload[i] ^= mask[i & 3];
  *count = header + payload_bytes;
  return start;
}

int hd_ws_take(const uint8_t *bytes, size_t count, uint8_t *opcode, const uint8_t **payload, size_t *payload_bytes) {
  if (count < 2) return 0;
  /* Whole, no extension, not masked; 64-bit lengths are beyond any frame. */
  if ((bytes[0] & 0xf0) != 0x80 || (bytes[1] & 0x80) != 0 || (bytes[1] & 0x7f) == 127) return -1;
  size_t header = (bytes[1] & 0x7f) == 126 ? 4 : 2;
  if (count < header) return 0;
  size_t length = header == 2 ? bytes[1] : (size_t)bytes[2] << 8 | bytes[3];
  if (length > HD_FRAME_BYTES) return -1;
  if (count < header + length) return 0;
  *opcode = bytes[0] & 0x0f;
  *payload = bytes + header;
  *payload_bytes = length;
  return (int)(header + length);
}
