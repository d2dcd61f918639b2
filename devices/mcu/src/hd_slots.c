/*
 * Two places for a model. A slot holds the model from its start and, in its last 64 bytes, a trailer that makes it count:
 * magic, sequence, size, SHA-256. The magic is written last, in one word, so that a slot either counts or does not; whatever
 * happens in between, the other one still does.
 */
#include "hd.h"

#include <string.h>

#define TRAILER_BYTES 64
#define TRAILER_AT (HD_SLOT_BYTES - TRAILER_BYTES)
#define MAGIC 0x31444d48u

static int is_valid(const uint8_t *slot, hd_image *image, uint8_t *hash, uint32_t *sequence) {
  const uint8_t *trailer = slot + TRAILER_AT;
  if (hd_get32(trailer) != MAGIC) return 0;
  uint32_t size = hd_get32(trailer + 8);
  if (size > TRAILER_AT) return 0;
  hd_sha256 sha;
  hd_sha256_start(&sha);
  hd_sha256_add(&sha, slot, size);
  hd_sha256_end(&sha, hash);
  if (memcmp(hash, trailer + 12, HD_HASH_BYTES) != 0) return 0;
  *sequence = hd_get32(trailer + 4);
  return hd_image_open(image, slot, size) == 0;
}

int hd_slot_newest(const hd_port *port, hd_image *image, uint8_t *hash, uint32_t *sequence) {
  int newest = -1;
  for (int slot = 0; slot < 2; slot++) {
    hd_image candidate;
    uint8_t digest[HD_HASH_BYTES];
    uint32_t number;
    if (!is_valid(port->slot(port->context, slot), &candidate, digest, &number)) continue;
    if (newest >= 0 && (int32_t)(number - *sequence) <= 0) continue;
    newest = slot;
    *image = candidate;
    *sequence = number;
    memcpy(hash, digest, HD_HASH_BYTES);
  }
  return newest;
}

int hd_slot_commit(const hd_port *port, int slot, uint32_t sequence, uint32_t size, const uint8_t *hash) {
  uint8_t trailer[12 + HD_HASH_BYTES];
  hd_put32(trailer, MAGIC);
  hd_put32(trailer + 4, sequence);
  hd_put32(trailer + 8, size);
  memcpy(trailer + 12, hash, HD_HASH_BYTES);
  if (port->slot_write(port->context, slot, TRAILER_AT + 4, trailer + 4, sizeof trailer - 4) != 0) return -1;
  return port->slot_write(port->context, slot, TRAILER_AT, trailer, 4);
}

int hd_slot_install(const hd_port *port, int slot, uint32_t sequence, const uint8_t *bytes, uint32_t size) {
  uint8_t hash[HD_HASH_BYTES];
  hd_sha256 sha;
  if (size > TRAILER_AT || port->slot_erase(port->context, slot) != 0) return -1;
  if (port->slot_write(port->context, slot, 0, bytes, size) != 0) return -1;
  hd_sha256_start(&sha);
  hd_sha256_add(&sha, bytes, size);
  hd_sha256_end(&sha, hash);
  return hd_slot_commit(port, slot, sequence, size, hash);
}
