/* The envelope of a message and the tensor inside it: never reads past what it was given, whatever the bytes say. */
#include "hd.h"

#include <string.h>

#define FAMILY_AND_VERSION 0xd1
#define HEADER_BYTES 12
#define CHECKSUM_BYTES 4

uint32_t hd_crc32(const uint8_t *bytes, size_t count) {
  /* A half byte at a time: sixteen words of flash instead of 256. */
  static const uint32_t nibbles[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < count; i++) {
    crc ^= bytes[i];
    crc = crc >> 4 ^ nibbles[crc & 15];
    crc = crc >> 4 ^ nibbles[crc & 15];
  }
  return ~crc;
}

int hd_frame_decode(hd_frame *frame, const uint8_t *bytes, size_t count) {
  if (count < HD_OVERHEAD_BYTES || count > HD_FRAME_BYTES) return HD_BAD_LENGTH;
  if (bytes[0] != FAMILY_AND_VERSION) return HD_BAD_VERSION;
  if (hd_crc32(bytes, count - CHECKSUM_BYTES) != hd_get32(bytes + count - CHECKSUM_BYTES)) return HD_BAD_CHECKSUM;
  frame->type = bytes[1];
  frame->deadline_ms = hd_get16(bytes + 2);
  frame->sequence = hd_get32(bytes + 4);
  frame->request = hd_get32(bytes + 8);
  frame->payload = bytes + HEADER_BYTES;
  frame->payload_bytes = count - HD_OVERHEAD_BYTES;
  if (frame->type < HD_HELLO || frame->type > HD_ERROR) return HD_UNKNOWN_TYPE;
  return HD_OK;
}

size_t hd_frame_seal(uint8_t *out, uint8_t type, uint16_t deadline_ms, uint32_t sequence, uint32_t request,
                     size_t payload_bytes) {
  size_t body = HEADER_BYTES + payload_bytes;
  out[0] = FAMILY_AND_VERSION;
  out[1] = type;
  hd_put16(out + 2, deadline_ms);
  hd_put32(out + 4, sequence);
  hd_put32(out + 8, request);
  hd_put32(out + body, hd_crc32(out, body));
  return body + CHECKSUM_BYTES;
}

int hd_tensor_decode(hd_tensor *tensor, const uint8_t *bytes, size_t count) {
  if (count < 8) return HD_BAD_PAYLOAD;
  tensor->kind = bytes[0];
  tensor->rank = bytes[1];
  tensor->zero = (int16_t)hd_get16(bytes + 2);
  uint32_t scale_bits = hd_get32(bytes + 4);
  memcpy(&tensor->scale, &scale_bits, 4);
  if (tensor->kind < 1 || tensor->kind > 3 || tensor->rank < 1 || tensor->rank > 4) return HD_BAD_PAYLOAD;
  if (!(tensor->scale > 0.0f)) return HD_BAD_PAYLOAD;
  size_t header = 8 + 2u * tensor->rank;
  if (count < header) return HD_BAD_PAYLOAD;
  uint32_t values = 1;
  for (int i = 0; i < tensor->rank; i++) {
    tensor->shape[i] = hd_get16(bytes + 8 + 2 * i);
    if (tensor->shape[i] == 0 || values > HD_FRAME_BYTES) return HD_BAD_PAYLOAD;
    values *= tensor->shape[i];
  }
  size_t width = tensor->kind == 2 ? 2 : 1;
  if (values > HD_FRAME_BYTES || count - header != values * width) return HD_BAD_PAYLOAD;
  tensor->count = values;
  tensor->data = bytes + header;
  return HD_OK;
}
