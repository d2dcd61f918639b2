/*
 * Hostile bytes into everything that reads bytes: the model file, frames, tensors, the handshake's answer, and a whole client
 * whose hub says whatever it likes. Run under the address and undefined-behaviour sanitizers, from a seed. Half of the frames
 * are sealed with a checksum that fits, so that what lies behind it is reached.
 *
 *   fuzz MODEL ROUNDS SEED
 */
#include "hd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state;
static uint32_t draw(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state % below;
}

static uint8_t model[HD_SLOT_BYTES], flash[2][HD_SLOT_BYTES];
static uint32_t model_bytes, clock_ms;
static uint8_t stream[8192];
static size_t stream_bytes, stream_at;

static int port_connect(void *c) { (void)c; return 1; }
static int port_send(void *c, const uint8_t *bytes, size_t count) { (void)c; (void)bytes; return (int)(draw(8) ? count : draw(3)); }
static int port_receive(void *c, uint8_t *bytes, size_t room) {
  (void)c;
  size_t left = stream_bytes - stream_at, count = 1 + draw(900);
  if (left == 0) return draw(2) ? 0 : -1;
  if (count > left) count = left;
  if (count > room) count = room;
  memcpy(bytes, stream + stream_at, count);
  stream_at += count;
  return (int)count;
}
static void port_close(void *c) { (void)c; }
static uint32_t port_now(void *c) { (void)c; return clock_ms += draw(40); }
static void port_random(void *c, uint8_t *bytes, size_t count) { (void)c; memset(bytes, 7, count); }
static const uint8_t *port_slot(void *c, int slot) { (void)c; return flash[slot]; }
static int port_erase(void *c, int slot) { (void)c; memset(flash[slot], 0xff, HD_SLOT_BYTES); return 0; }
static int port_write(void *c, int slot, uint32_t offset, const uint8_t *bytes, size_t count) {
  (void)c;
  if (offset > HD_SLOT_BYTES || count > HD_SLOT_BYTES - offset) abort();
  memcpy(flash[slot] + offset, bytes, count);
  return draw(50) ? 0 : -1;
}

static const hd_port port = {NULL, port_connect, port_send, port_receive, port_close, port_now, port_now, port_random,
                             port_slot, port_erase, port_write};

/* Exactly sized, so that one byte too far is seen. */
static void check_bytes(const uint8_t *bytes, size_t count) {
  uint8_t *exact = malloc(count ? count : 1);
  hd_frame frame;
  hd_tensor tensor;
  uint8_t opcode;
  const uint8_t *payload;
  size_t payload_bytes;
  memcpy(exact, bytes, count);
  if (hd_frame_decode(&frame, exact, count) == HD_OK && frame.payload_bytes >= 4 &&
      hd_tensor_decode(&tensor, frame.payload + 4, frame.payload_bytes - 4) == HD_OK) {
    volatile uint8_t last = tensor.data[tensor.count * (tensor.kind == 2 ? 2u : 1u) - 1];
    (void)last;
  }
  hd_tensor_decode(&tensor, exact, count);
  hd_ws_take(exact, count, &opcode, &payload, &payload_bytes);
  hd_ws_response(exact, count, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  free(exact);
}

static void check_model(void) {
  uint8_t *exact = malloc(model_bytes);
  static int8_t input[HD_SCRATCH_BYTES], scratch[HD_SCRATCH_BYTES];
  float logits[HD_MAX_LABELS];
  int16_t probabilities[HD_MAX_LABELS];
  hd_image image;
  memcpy(exact, model, model_bytes);
  for (uint32_t changes = 1 + draw(4); changes > 0; changes--) exact[draw(draw(2) ? 64 : 64 + 4 * 48)] = (uint8_t)draw(256);
  uint32_t size = draw(3) ? model_bytes : draw(model_bytes);
  if (hd_image_open(&image, exact, size) == 0) hd_infer(&image, input, scratch, logits, probabilities);
  free(exact);
}

static size_t random_frame(uint8_t *out, uint32_t sequence, const hd_client *client) {
  size_t payload = draw(4) ? draw(60) : draw(HD_FRAME_BYTES - 16);
  for (size_t i = 0; i < payload; i++) out[12 + i] = (uint8_t)draw(256);
  uint8_t type = (uint8_t)(draw(6) ? 1 + draw(14) : draw(256));
  if (type == HD_WELCOME && draw(4)) payload = 24;
  if (type == HD_MODEL_OFFER && draw(2)) payload = 39, hd_put32(out + 12 + 32, draw(4) ? 1 + draw(2000) : draw(70000));
  if (type == HD_MODEL_CHUNK && payload > 9 && draw(4)) memcpy(out + 12, client->offer_hash, 4), hd_put32(out + 16, client->received_bytes);
  if (type == HD_INFER && payload < 1100 && draw(2)) {
    memcpy(out + 12, client->model_hash, 4);
    static const uint8_t head[14] = {1, 3, 0x80, 0xff, 0x81, 0x80, 0x80, 0x3b, 28, 0, 28, 0, 1, 0};
    memcpy(out + 16, head, 14);
    payload = 18 + 784;
  }
  size_t size = hd_frame_seal(out, type, (uint16_t)draw(70), sequence, draw(5), payload);
  if (draw(12) == 0) out[draw((uint32_t)size)] ^= (uint8_t)(1 + draw(255));
  return size;
}

static void check_client(void) {
  static hd_client client;
  static const hd_config config = {"host", "device", "key", "fuzz", 1, NULL, NULL, NULL};
  memset(flash, 0xff, sizeof flash);
  if (draw(2)) hd_slot_install(&port, (int)draw(2), draw(9), model, model_bytes);
  hd_client_init(&client, &config, &port);
  stream_bytes = stream_at = 0;
  hd_client_step(&client);
  hd_client_step(&client);
  stream_bytes = (size_t)sprintf((char *)stream, "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: %s\r\n\r\n", client.accept);
  for (uint32_t sequence = 1, rounds = draw(30); rounds > 0; rounds--) {
    uint8_t frame[HD_FRAME_BYTES + 64];
    size_t size = random_frame(frame, sequence == 1 || draw(15) ? sequence : draw(9), &client);
    if (sequence++ == 1) frame[1] = HD_WELCOME, size = hd_frame_seal(frame, HD_WELCOME, 0, 1, 0, 24);
    stream[stream_bytes++] = draw(20) ? 0x82 : (uint8_t)draw(256);
    if (size < 126) stream[stream_bytes++] = (uint8_t)size;
    else {
      stream[stream_bytes++] = 126;
      stream[stream_bytes++] = (uint8_t)(size >> 8);
      stream[stream_bytes++] = (uint8_t)size;
    }
    memcpy(stream + stream_bytes, frame, size);
    stream_bytes += size;
    for (int i = 0; i < 6; i++) hd_client_step(&client);
    memmove(stream, stream + stream_at, stream_bytes - stream_at);
    stream_bytes -= stream_at;
    stream_at = 0;
    if (stream_bytes > sizeof stream - 2 * HD_FRAME_BYTES) break;
    if (draw(10) == 0 && client.has_model) {
      hd_answer own = {1, 0.5f, 1};
      static const int8_t input[784];
      hd_client_ask(&client, input, &own, 100, 0);
    }
  }
}

int main(int count, char **arguments) {
  FILE *file = count == 4 ? fopen(arguments[1], "rb") : NULL;
  if (!file) return 1;
  model_bytes = (uint32_t)fread(model, 1, sizeof model, file);
  fclose(file);
  uint32_t rounds = (uint32_t)strtoul(arguments[2], NULL, 10);
  state = (uint32_t)strtoul(arguments[3], NULL, 10) | 1;
  uint8_t bytes[HD_FRAME_BYTES + 64];
  for (uint32_t round = 0; round < rounds; round++) {
    size_t size = draw(sizeof bytes);
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)draw(256);
    if (size > 16 && draw(2)) {
      bytes[0] = 0xd1;
      hd_put32(bytes + size - 4, hd_crc32(bytes, size - 4));
    }
    if (size > 40 && draw(4) == 0) memcpy(bytes, "HTTP/1.1 101 x\r\nSec-WebSocket-Accept:", 37);
    check_bytes(bytes, size);
    check_model();
    check_client();
  }
  printf("%u rounds\n", rounds);
  return 0;
}
