/*
 * The conversation with the hub: dial, say hello, answer what is asked, take new thresholds and models, dial again. One frame
 * is read only when the last one to send is on its way, so two buffers are all it needs and TCP holds the hub back.
 */
#include "hd.h"

#include <string.h>

enum { OFFLINE, CONNECTING, UPGRADING, GREETING, READY };
enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

#define WS_HEADER 8 /* room before a payload */
#define FRAME_HEADER 12
#define LEAST_BACKOFF_MS 100u
#define MOST_BACKOFF_MS 30000u
#define DIAL_LIMIT_MS 10000u
#define LOAD_EVERY_MS 30000u
#define LOAD_IDLE_MS 600000u /* where there is nothing new to say: a report wakes the hub */
#define WINDOW 2

static uint32_t now(hd_client *c) { return c->port->now_ms(c->port->context); }
static int is_past(uint32_t at, uint32_t now_ms) { return (int32_t)(now_ms - at) >= 0; }
static void event(hd_client *c, const char *what) {
  if (c->config->on_event) c->config->on_event(c->config->context, what);
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

static uint8_t *payload_of(hd_client *c) { return c->tx + WS_HEADER + FRAME_HEADER; }

static void send_message(hd_client *c, uint8_t opcode, size_t bytes) {
  uint8_t mask[4];
  size_t count;
  c->port->random(c->port->context, mask, 4);
  uint8_t *start = hd_ws_wrap(c->tx, opcode, mask, bytes, &count);
  c->tx_sent = (size_t)(start - c->tx);
  c->tx_bytes = c->tx_sent + count;
}

static void send_frame(hd_client *c, uint8_t type, uint16_t deadline_ms, uint32_t request, size_t payload_bytes) {
  send_message(c, BINARY, hd_frame_seal(c->tx + WS_HEADER, type, deadline_ms, ++c->sequence_out, request, payload_bytes));
}

static void send_error(hd_client *c, int code, uint32_t request) {
  uint8_t *at = payload_of(c);
  hd_put16(at, (uint16_t)code);
  at[2] = 0;
  send_frame(c, HD_ERROR, 0, request, 3);
}

static size_t put_text(uint8_t *at, const char *text, size_t most) {
  size_t count = strlen(text);
  if (count > most) count = most;
  at[0] = (uint8_t)count;
  memcpy(at + 1, text, count);
  return count + 1;
}

static void send_hello(hd_client *c) {
  uint8_t *at = payload_of(c), *start = at;
  at[0] = WINDOW;
  hd_put16(at + 1, HD_FRAME_BYTES);
  hd_put32(at + 3, HD_SLOT_BYTES - 64);
  hd_put32(at + 7, c->config->ram_bytes);
  memset(at + 11, 0, HD_TOKEN_BYTES + HD_HASH_BYTES);
  if (c->is_resumable) memcpy(at + 11, c->token, HD_TOKEN_BYTES);
  if (c->has_model) memcpy(at + 11 + HD_TOKEN_BYTES, c->model_hash, HD_HASH_BYTES);
  at += 11 + HD_TOKEN_BYTES + HD_HASH_BYTES;
  at += put_text(at, c->config->firmware, 32);
  at += put_text(at, c->config->device_id, HD_NAME_BYTES);
  at += put_text(at, c->has_model ? c->image.name : "", HD_NAME_BYTES);
  send_frame(c, HD_HELLO, 0, 0, (size_t)(at - start));
}

static void send_load(hd_client *c, uint32_t now_ms) {
  uint8_t *at = payload_of(c);
  uint32_t span_ms = now_ms - c->busy_since_ms;
  uint32_t percent = span_ms == 0 ? 0 : c->busy_us / 10 / span_ms;
  at[0] = 0;
  at[1] = (uint8_t)(percent > 100 ? 100 : percent);
  hd_put32(at + 2, c->config->ram_bytes);
  hd_put32(at + 6, (now_ms - c->started_ms) / 1000);
  hd_put32(at + 10, c->answered);
  hd_put32(at + 14, c->asked);
  c->busy_us = 0;
  c->busy_since_ms = now_ms;
  send_frame(c, HD_LOAD, 0, 0, 18);
}

static void send_ack(hd_client *c, const uint8_t *hash, uint8_t state) {
  uint8_t *at = payload_of(c);
  memcpy(at, hash, 4);
  at[4] = state;
  hd_put32(at + 5, c->received_bytes);
  send_frame(c, HD_MODEL_ACK, 0, 0, 9);
}

static void send_kept(hd_client *c, const hd_kept *kept) {
  uint8_t *at = payload_of(c);
  float scale = 1.0f / 32767.0f;
  uint32_t bits;
  memcpy(&bits, &scale, 4);
  hd_put32(at, kept->compute_us);
  at[4] = 2; /* int16 */
  at[5] = 1;
  hd_put16(at + 6, 0);
  hd_put32(at + 8, bits);
  hd_put16(at + 12, kept->labels);
  for (int i = 0; i < kept->labels; i++) hd_put16(at + 14 + 2 * i, (uint16_t)kept->probabilities[i]);
  send_frame(c, HD_RESULT, 0, kept->request, 14 + 2u * kept->labels);
}

/* ---- receiving ------------------------------------------------------------------------------------------------------- */

static uint32_t run(hd_client *c, const int8_t *input) {
  uint32_t from = c->port->now_us(c->port->context);
  hd_infer(&c->image, input, c->scratch, c->logits, c->probabilities);
  uint32_t took = c->port->now_us(c->port->context) - from;
  c->busy_us += took;
  return took;
}

static int is_input(const hd_client *c, const hd_tensor *t) {
  float ratio = t->scale / c->image.input_scale;
  return t->kind == 1 && t->count == (uint32_t)c->image.input.height * c->image.input.width * c->image.input.channels &&
         t->zero == c->image.input_zero && ratio > 0.9999f && ratio < 1.0001f;
}

static int take_infer(hd_client *c, const hd_frame *f) {
  hd_tensor tensor;
  if (f->payload_bytes < 4 || hd_tensor_decode(&tensor, f->payload + 4, f->payload_bytes - 4) != HD_OK) return HD_BAD_PAYLOAD;
  for (int i = 0; i < HD_KEPT_RESULTS; i++) {
    if (f->request != 0 && c->kept[i].request == f->request) {
      send_kept(c, &c->kept[i]);
      return HD_OK;
    }
  }
  if (!c->has_model || memcmp(f->payload, c->model_hash, 4) != 0) {
    send_error(c, HD_MODEL_MISMATCH, f->request);
  } else if (!is_input(c, &tensor)) {
    send_error(c, HD_UNSUPPORTED_INPUT, f->request);
  } else {
    hd_kept *kept = &c->kept[c->next_kept];
    c->next_kept = (uint8_t)((c->next_kept + 1) % HD_KEPT_RESULTS);
    kept->compute_us = run(c, (const int8_t *)tensor.data);
    kept->request = f->request;
    kept->labels = c->image.labels;
    memcpy(kept->probabilities, c->probabilities, sizeof kept->probabilities);
    c->answered++;
    if (f->deadline_ms != 0 && kept->compute_us / 1000 > f->deadline_ms) send_error(c, HD_DEADLINE_PASSED, f->request);
    else send_kept(c, kept);
  }
  return HD_OK;
}

static int take_offer(hd_client *c, const hd_frame *f) {
  if (f->payload_bytes < 39) return HD_BAD_PAYLOAD;
  uint32_t size = hd_get32(f->payload + 32);
  if (c->has_model && memcmp(f->payload, c->model_hash, HD_HASH_BYTES) == 0) {
    c->received_bytes = size;
    send_ack(c, f->payload, HD_COMMITTED);
    return HD_OK;
  }
  /* The one that is under way goes on where it stands, over however many connections. */
  if (memcmp(f->payload, c->offer_hash, HD_HASH_BYTES) != 0 || c->offer_bytes != size || c->received_bytes >= size) {
    c->received_bytes = 0;
    c->offer_bytes = 0;
    c->has_commit_due = 0;
    if (size == 0 || size > HD_SLOT_BYTES - 64 || c->port->slot_erase(c->port->context, !c->active_slot) != 0) {
      send_ack(c, f->payload, HD_REFUSED);
      return HD_OK;
    }
    memcpy(c->offer_hash, f->payload, HD_HASH_BYTES);
    c->offer_bytes = size;
  }
  send_ack(c, c->offer_hash, HD_WANTS);
  return HD_OK;
}

static uint8_t check_received(hd_client *c) {
  const uint8_t *bytes = c->port->slot(c->port->context, !c->active_slot);
  uint8_t digest[HD_HASH_BYTES];
  hd_sha256 sha;
  hd_image image;
  hd_sha256_start(&sha);
  hd_sha256_add(&sha, bytes, c->offer_bytes);
  hd_sha256_end(&sha, digest);
  if (memcmp(digest, c->offer_hash, HD_HASH_BYTES) != 0) {
    c->offer_bytes = 0;
    return HD_CORRUPT;
  }
  if (hd_image_open(&image, bytes, c->offer_bytes) != 0) {
    c->offer_bytes = 0;
    return HD_REFUSED;
  }
  c->has_commit_due = 1;
  return HD_COMPLETE;
}

static int take_chunk(hd_client *c, const hd_frame *f) {
  if (f->payload_bytes < 9) return HD_BAD_PAYLOAD;
  size_t count = f->payload_bytes - 8;
  uint32_t offset = hd_get32(f->payload + 4);
  /* Of an offer that is over, or a piece that was seen already: nothing to say. */
  if (c->offer_bytes == 0 || memcmp(f->payload, c->offer_hash, 4) != 0 || offset != c->received_bytes) return HD_OK;
  if (count > c->offer_bytes - offset) return HD_BAD_PAYLOAD;
  if (c->port->slot_write(c->port->context, !c->active_slot, offset, f->payload + 8, count) != 0) {
    c->offer_bytes = 0;
    send_ack(c, c->offer_hash, HD_REFUSED);
    return HD_OK;
  }
  c->received_bytes += (uint32_t)count;
  send_ack(c, c->offer_hash, c->received_bytes < c->offer_bytes ? HD_WANTS : check_received(c));
  return HD_OK;
}

static int take_commit(hd_client *c, const hd_frame *f) {
  if (f->payload_bytes != HD_HASH_BYTES) return HD_BAD_PAYLOAD;
  if (!c->has_commit_due || memcmp(f->payload, c->offer_hash, HD_HASH_BYTES) != 0) return HD_OK;
  int slot = !c->active_slot;
  c->has_commit_due = 0;
  if (hd_slot_commit(c->port, slot, c->model_sequence + 1, c->offer_bytes, c->offer_hash) != 0 ||
      hd_image_open(&c->image, c->port->slot(c->port->context, slot), c->offer_bytes) != 0) {
    c->offer_bytes = 0;
    c->has_model = hd_slot_newest(c->port, &c->image, c->model_hash, &c->model_sequence) >= 0;
    send_ack(c, f->payload, HD_REFUSED);
    return HD_OK;
  }
  c->model_sequence++;
  c->active_slot = (uint8_t)slot;
  c->has_model = 1;
  memcpy(c->model_hash, c->offer_hash, HD_HASH_BYTES);
  send_ack(c, c->offer_hash, HD_COMMITTED);
  c->offer_bytes = 0;
  memset(c->kept, 0, sizeof c->kept);
  event(c, "model");
  return HD_OK;
}

static int take_welcome(hd_client *c, const hd_frame *f) {
  if (c->state != GREETING || f->payload_bytes != 24) return HD_UNEXPECTED;
  uint32_t bits = hd_get32(f->payload + 4);
  memcpy(&c->threshold, &bits, 4);
  memcpy(c->token, f->payload + 8, HD_TOKEN_BYTES);
  c->heartbeat_ms = hd_get16(f->payload + 2) * 1000u;
  c->is_resumable = 1;
  c->state = READY;
  c->backoff_ms = LEAST_BACKOFF_MS;
  c->beat_ms = now(c) + c->heartbeat_ms;
  c->load_ms = c->report_ms = now(c);
  event(c, f->payload[0] ? "resumed" : "welcome");
  return HD_OK;
}

/* HD_OK, or what the connection ends with. */
static int take_frame(hd_client *c, const hd_frame *f) {
  uint32_t bits;
  float confidence;
  if (f->sequence != c->sequence_in + 1) return HD_REPLAYED;
  c->sequence_in = f->sequence;
  if (f->type == HD_WELCOME) return take_welcome(c, f);
  if (f->type != HD_ERROR && c->state != READY) return HD_UNEXPECTED;
  switch (f->type) {
    case HD_INFER:
      return take_infer(c, f);
    case HD_ANSWER:
      if (f->payload_bytes != 4) return HD_BAD_PAYLOAD;
      confidence = (float)hd_get16(f->payload + 2) / 65535.0f;
      if (c->config->on_answer)
        c->config->on_answer(c->config->context, f->request, HD_OK, hd_get16(f->payload), confidence);
      return HD_OK;
    case HD_THRESHOLD:
      if (f->payload_bytes != 4) return HD_BAD_PAYLOAD;
      bits = hd_get32(f->payload);
      memcpy(&c->threshold, &bits, 4);
      event(c, "threshold");
      return HD_OK;
    case HD_MODEL_OFFER:
      return take_offer(c, f);
    case HD_MODEL_CHUNK:
      return take_chunk(c, f);
    case HD_MODEL_COMMIT:
      return take_commit(c, f);
    case HD_CREDIT:
      return HD_OK;
    case HD_ERROR:
      if (f->payload_bytes < 3) return HD_BAD_PAYLOAD;
      if (f->request != 0 && c->config->on_answer)
        c->config->on_answer(c->config->context, f->request, hd_get16(f->payload), 0, 0.0f);
      return HD_OK;
    default:
      return HD_UNEXPECTED;
  }
}

/* ---- the connection -------------------------------------------------------------------------------------------------- */

static void hang_up(hd_client *c) {
  uint32_t jitter = 0;
  int was_ready = c->state == READY;
  c->port->close(c->port->context);
  c->state = OFFLINE;
  /* Half of it fixed, half drawn, so that devices cut off together do not all dial at once. */
  c->port->random(c->port->context, (uint8_t *)&jitter, sizeof jitter);
  c->due_ms = now(c) + c->backoff_ms / 2 + jitter % (c->backoff_ms / 2 + 1);
  c->backoff_ms = c->backoff_ms * 2 > MOST_BACKOFF_MS ? MOST_BACKOFF_MS : c->backoff_ms * 2;
  if (was_ready) event(c, "lost");
}

static void dial(hd_client *c, uint32_t now_ms) {
  c->rx_bytes = c->tx_bytes = c->tx_sent = 0;
  c->sequence_in = c->sequence_out = 0;
  c->state = CONNECTING;
  c->heard_ms = now_ms;
}

static void upgrade(hd_client *c) {
  uint8_t random[16];
  c->port->random(c->port->context, random, sizeof random);
  c->tx_sent = 0;
  c->tx_bytes = hd_ws_request(c->tx, sizeof c->tx, c->config, random, c->accept);
  c->state = UPGRADING;
}

/* 1: something was sent, 0: nothing to send or no room, -1: broken. */
static int flush(hd_client *c) {
  int moved = 0;
  while (c->tx_sent < c->tx_bytes) {
    int count = c->port->send(c->port->context, c->tx + c->tx_sent, c->tx_bytes - c->tx_sent);
    if (count < 0) return -1;
    if (count == 0) return moved;
    c->tx_sent += (size_t)count;
    moved = 1;
  }
  c->tx_sent = c->tx_bytes = 0;
  return moved;
}

static void drop_front(hd_client *c, size_t count) {
  c->rx_bytes -= count;
  memmove(c->rx, c->rx + count, c->rx_bytes);
}

/* Takes one whole message from what was received. 1: did, 0: none there, -1: the connection is over. */
static int take_message(hd_client *c) {
  uint8_t opcode;
  const uint8_t *payload;
  size_t bytes;
  hd_frame frame;
  if (c->state == UPGRADING) {
    int head = hd_ws_response(c->rx, c->rx_bytes, c->accept);
    if (head <= 0) return head < 0 || c->rx_bytes == sizeof c->rx ? -1 : 0;
    drop_front(c, (size_t)head);
    c->state = GREETING;
    send_hello(c);
    return 1;
  }
  int length = hd_ws_take(c->rx, c->rx_bytes, &opcode, &payload, &bytes);
  if (length <= 0) return length;
  if (opcode == PING && bytes <= 125) {
    memcpy(c->tx + WS_HEADER, payload, bytes);
    send_message(c, PONG, bytes);
  } else if (opcode == BINARY) {
    int wrong = hd_frame_decode(&frame, payload, bytes);
    if (wrong == HD_OK) wrong = take_frame(c, &frame);
    if (wrong != HD_OK) return -1;
  } else if (opcode != TEXT && opcode != PONG) {
    return -1;
  }
  drop_front(c, (size_t)length);
  return 1;
}

/* One round of sending, taking, receiving. 1: something moved, 0: nothing can, -1: broken. */
static int pass(hd_client *c, uint32_t now_ms) {
  int sent = flush(c);
  if (sent < 0) return -1;
  if (c->tx_bytes > 0) return 0;
  int taken = c->rx_bytes > 0 ? take_message(c) : 0;
  if (taken != 0) return taken;
  if (c->state == READY && is_past(c->beat_ms, now_ms)) {
    c->tx[WS_HEADER] = 'h';
    send_message(c, TEXT, 1);
    c->beat_ms = now_ms + c->heartbeat_ms;
    return 1;
  }
  if (c->state == READY && is_past(c->load_ms, now_ms)) {
    c->load_ms = now_ms + LOAD_EVERY_MS;
    if (c->answered + c->asked == c->reported && !is_past(c->report_ms, now_ms)) return 1;
    c->reported = c->answered + c->asked;
    c->report_ms = now_ms + LOAD_IDLE_MS;
    send_load(c, now_ms);
    return 1;
  }
  if (c->rx_bytes == sizeof c->rx) return -1;
  int count = c->port->receive(c->port->context, c->rx + c->rx_bytes, sizeof c->rx - c->rx_bytes);
  if (count < 0) return -1;
  if (count > 0) c->heard_ms = now_ms;
  c->rx_bytes += (size_t)count;
  return count > 0 || sent;
}

uint32_t hd_client_step(hd_client *c) {
  uint32_t now_ms = now(c);
  if (c->state == OFFLINE) {
    if (!is_past(c->due_ms, now_ms)) return c->due_ms - now_ms;
    dial(c, now_ms);
  }
  if (c->state == CONNECTING) {
    int connected = c->port->connect(c->port->context);
    if (connected > 0) upgrade(c);
    else if (connected < 0) hang_up(c);
  }
  /* Not yet welcome after a while, or two heartbeats without their answers: nobody is there. */
  uint32_t limit_ms = c->state == READY ? c->heartbeat_ms * 2 + c->heartbeat_ms / 2 : DIAL_LIMIT_MS;
  if (c->state != OFFLINE && is_past(c->heard_ms + limit_ms, now_ms)) hang_up(c);
  while (c->state > CONNECTING) {
    int moved = pass(c, now_ms);
    if (moved < 0) hang_up(c);
    if (moved <= 0) break;
  }
  if (c->state == OFFLINE) return c->due_ms - now_ms;
  if (c->state != READY) return 100;
  uint32_t next_ms = is_past(c->load_ms, c->beat_ms) ? c->beat_ms : c->load_ms;
  return is_past(next_ms, now_ms) ? 1 : next_ms - now_ms;
}

/* ---- what a firmware calls ------------------------------------------------------------------------------------------- */

void hd_client_init(hd_client *c, const hd_config *config, const hd_port *port) {
  memset(c, 0, sizeof *c);
  c->config = config;
  c->port = port;
  c->backoff_ms = LEAST_BACKOFF_MS;
  c->next_question = 1;
  c->started_ms = c->busy_since_ms = c->due_ms = now(c);
  int slot = hd_slot_newest(port, &c->image, c->model_hash, &c->model_sequence);
  c->has_model = slot >= 0;
  c->active_slot = (uint8_t)(slot < 0 ? 1 : slot);
}

int hd_client_is_ready(const hd_client *c) { return c->state == READY; }
int hd_client_wants_to_send(const hd_client *c) { return c->state == CONNECTING || c->tx_bytes > 0; }

int hd_client_classify(hd_client *c, const int8_t *input, hd_answer *answer) {
  if (!c->has_model) return -1;
  run(c, input);
  answer->label = 0;
  for (uint16_t i = 1; i < c->image.labels; i++) {
    if (c->probabilities[i] > c->probabilities[answer->label]) answer->label = i;
  }
  answer->confidence = (float)c->probabilities[answer->label] / 32767.0f;
  answer->unsure = answer->confidence < c->threshold;
  return 0;
}

uint32_t hd_client_ask(hd_client *c, const int8_t *input, const hd_answer *own, uint16_t deadline_ms, uint32_t again) {
  uint32_t count = (uint32_t)c->image.input.height * c->image.input.width * c->image.input.channels;
  if (c->state != READY || !c->has_model || c->tx_bytes > 0 || count + 34 > HD_FRAME_BYTES) return 0;
  uint32_t request = again != 0 ? again : c->next_question++;
  uint8_t *at = payload_of(c);
  uint32_t bits;
  memcpy(&bits, &c->image.input_scale, 4);
  hd_put16(at, own->label);
  hd_put16(at + 2, (uint16_t)(own->confidence * 65535.0f + 0.5f));
  at[4] = 1; /* int8 */
  at[5] = 3;
  hd_put16(at + 6, (uint16_t)c->image.input_zero);
  hd_put32(at + 8, bits);
  hd_put16(at + 12, c->image.input.height);
  hd_put16(at + 14, c->image.input.width);
  hd_put16(at + 16, c->image.input.channels);
  memcpy(at + 18, input, count);
  if (again == 0) c->asked++;
  send_frame(c, HD_ASK, deadline_ms, request, 18 + count);
  return request;
}
