/*
 * A device of the hybrid inference gateway: what a firmware sees of it. No heap, no globals, no dependency but a port (hd_port):
 * a byte stream, a clock, random bytes and two slots of flash. devices/PROTOCOL.md has the frames, IMAGE.md the model file.
 */
#ifndef HD_H
#define HD_H

#include <stddef.h>
#include <stdint.h>

/* Sizes are the firmware's to choose; these hold the digits model. */
#ifndef HD_FRAME_BYTES
#define HD_FRAME_BYTES 1216 /* the largest frame it takes or sends */
#endif
#ifndef HD_SCRATCH_BYTES
#define HD_SCRATCH_BYTES 6144 /* activations of the largest two neighbouring layers */
#endif
#ifndef HD_SLOT_BYTES
#define HD_SLOT_BYTES 65536 /* one of two places for a model, its trailer included */
#endif
#ifndef HD_MAX_LABELS
#define HD_MAX_LABELS 32
#endif
#ifndef HD_KEPT_RESULTS
#define HD_KEPT_RESULTS 4 /* sent again, not computed again, where a connection broke before they arrived */
#endif

#define HD_OVERHEAD_BYTES 16
#define HD_TOKEN_BYTES 16
#define HD_HASH_BYTES 32
#define HD_NAME_BYTES 64

/* ---- the model file ------------------------------------------------------------------------------------------------ */

typedef struct {
  uint16_t height, width, channels;
} hd_box;

typedef struct {
  const uint8_t *bytes; /* stays where it is: flash that can be read like memory */
  uint32_t size;
  uint16_t layers, labels;
  hd_box input;
  float input_scale, temperature;
  int16_t input_zero;
  uint32_t scratch_bytes;
  char name[25];
} hd_image;

/* 0, or -1 where the bytes are no model, or one that needs more than this device has. Reads inside size, whatever they say. */
int hd_image_open(hd_image *image, const uint8_t *bytes, uint32_t size);

/* input: as many values as image->input has. scratch: HD_SCRATCH_BYTES. Probabilities in 1/32767. */
void hd_infer(const hd_image *image, const int8_t *input, int8_t *scratch, float *logits, int16_t *probabilities);

/* ---- frames --------------------------------------------------------------------------------------------------------- */

enum {
  HD_HELLO = 1, HD_WELCOME, HD_INFER, HD_RESULT, HD_ASK, HD_ANSWER, HD_LOAD, HD_CREDIT, HD_THRESHOLD, HD_MODEL_OFFER,
  HD_MODEL_CHUNK, HD_MODEL_ACK, HD_MODEL_COMMIT, HD_ERROR
};

enum {
  HD_OK = 0, HD_BAD_LENGTH, HD_BAD_VERSION, HD_BAD_CHECKSUM, HD_UNKNOWN_TYPE, HD_BAD_PAYLOAD, HD_REPLAYED,
  HD_WRONG_IDENTITY, HD_UNEXPECTED, HD_WINDOW_EXCEEDED, HD_DEADLINE_PASSED, HD_MODEL_MISMATCH, HD_UNSUPPORTED_INPUT,
  HD_NO_ANSWER, HD_MODEL_REFUSED, HD_INTERNAL
};

enum { HD_WANTS = 0, HD_COMPLETE, HD_COMMITTED, HD_REFUSED, HD_CORRUPT };

typedef struct {
  uint8_t type;
  uint16_t deadline_ms;
  uint32_t sequence, request;
  const uint8_t *payload;
  size_t payload_bytes;
} hd_frame;

typedef struct {
  uint8_t kind, rank; /* kind 1: int8, 2: int16, 3: text */
  int16_t zero;
  float scale;
  uint16_t shape[4];
  uint32_t count;
  const uint8_t *data;
} hd_tensor;

uint32_t hd_crc32(const uint8_t *bytes, size_t count);
/* HD_OK, or what is wrong. The payload points into bytes. */
int hd_frame_decode(hd_frame *frame, const uint8_t *bytes, size_t count);
/* Puts header and checksum around payload_bytes that lie at out + 12 already. Bytes of the whole frame. */
size_t hd_frame_seal(uint8_t *out, uint8_t type, uint16_t deadline_ms, uint32_t sequence, uint32_t request,
                     size_t payload_bytes);
/* HD_OK or HD_BAD_PAYLOAD; the tensor must fill the rest of the payload. */
int hd_tensor_decode(hd_tensor *tensor, const uint8_t *bytes, size_t count);

/* ---- the port ------------------------------------------------------------------------------------------------------- */

typedef struct {
  void *context;
  /* Call until it says 1 (connected; TLS, where there is any, is done) or -1 (failed). Never waits. */
  int (*connect)(void *context);
  /* Bytes taken; 0: none for now; -1: broken. Never waits. */
  int (*send)(void *context, const uint8_t *bytes, size_t count);
  int (*receive)(void *context, uint8_t *bytes, size_t room);
  void (*close)(void *context);
  uint32_t (*now_ms)(void *context);
  uint32_t (*now_us)(void *context);
  void (*random)(void *context, uint8_t *bytes, size_t count);
  /* Slot 0 or 1, HD_SLOT_BYTES, aligned to 4. Erased flash reads 0xff; writes come in order and in whole words. */
  const uint8_t *(*slot)(void *context, int slot);
  int (*slot_erase)(void *context, int slot);
  int (*slot_write)(void *context, int slot, uint32_t offset, const uint8_t *bytes, size_t count);
} hd_port;

/* ---- the client ----------------------------------------------------------------------------------------------------- */

typedef struct {
  const char *host; /* for the Host header */
  const char *device_id;
  const char *key;
  const char *firmware;
  uint32_t ram_bytes;
  /* What became of a question: status HD_OK, or an error code. */
  void (*on_answer)(void *context, uint32_t request, int status, uint16_t label, float confidence);
  /* Something happened: "welcome", "resumed", "threshold", "model", "lost". May be null. */
  void (*on_event)(void *context, const char *event);
  void *context;
} hd_config;

typedef struct {
  uint16_t label;
  float confidence;
  int unsure; /* below the threshold that the gateway states: ask */
} hd_answer;

typedef struct {
  uint32_t request; /* 0: empty */
  uint32_t compute_us;
  uint16_t labels;
  int16_t probabilities[HD_MAX_LABELS];
} hd_kept;

typedef struct {
  const hd_config *config;
  const hd_port *port;
  uint8_t state;
  uint8_t is_resumable, active_slot, has_model, has_commit_due;
  uint32_t due_ms, backoff_ms, heard_ms, beat_ms, load_ms, heartbeat_ms;
  uint32_t sequence_in, sequence_out, next_question;
  float threshold;
  uint8_t token[HD_TOKEN_BYTES];
  char accept[29];
  hd_image image;
  uint8_t model_hash[HD_HASH_BYTES];
  uint32_t model_sequence;
  /* An update under way. */
  uint8_t offer_hash[HD_HASH_BYTES];
  uint32_t offer_bytes, received_bytes;
  /* Counters of the load report. */
  uint32_t started_ms, answered, asked, busy_us, busy_since_ms, reported, report_ms;
  hd_kept kept[HD_KEPT_RESULTS];
  uint8_t next_kept;
  size_t rx_bytes, tx_bytes, tx_sent;
  uint8_t rx[HD_FRAME_BYTES + 16];
  uint8_t tx[HD_FRAME_BYTES + 16];
  int8_t scratch[HD_SCRATCH_BYTES];
  int16_t probabilities[HD_MAX_LABELS];
  float logits[HD_MAX_LABELS];
} hd_client;

void hd_client_init(hd_client *client, const hd_config *config, const hd_port *port);
/* Does what can be done without waiting. Call again when bytes arrive, or after the returned ms at the latest. */
uint32_t hd_client_step(hd_client *client);
int hd_client_is_ready(const hd_client *client);
/* Whether bytes wait to be sent: call hd_client_step when the stream takes more. */
int hd_client_wants_to_send(const hd_client *client);
/* The device's own answer. 0, or -1 where it holds no model. */
int hd_client_classify(hd_client *client, const int8_t *input, hd_answer *answer);
/* Asks the gateway about an input. The question's number, or 0 where it cannot be sent now: try again later. After "lost",
   an open question may be asked again under its number, and is answered once. */
uint32_t hd_client_ask(hd_client *client, const int8_t *input, const hd_answer *own, uint16_t deadline_ms, uint32_t again);

/* Writes a model as a commit would: for the factory, and for tests. 0 or -1. */
int hd_slot_install(const hd_port *port, int slot, uint32_t sequence, const uint8_t *image, uint32_t size);

/* ---- inside ---------------------------------------------------------------------------------------------------------- */

typedef struct {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[64];
} hd_sha256;
void hd_sha256_start(hd_sha256 *sha);
void hd_sha256_add(hd_sha256 *sha, const uint8_t *bytes, size_t count);
void hd_sha256_end(hd_sha256 *sha, uint8_t *digest);

int hd_slot_newest(const hd_port *port, hd_image *image, uint8_t *hash, uint32_t *sequence);
int hd_slot_commit(const hd_port *port, int slot, uint32_t sequence, uint32_t size, const uint8_t *hash);

/* Builds the upgrade request; accept gets what the answer must hold. Bytes, or 0 where it does not fit. */
size_t hd_ws_request(uint8_t *out, size_t room, const hd_config *config, const uint8_t random[16], char accept[29]);
/* Bytes of the answer's head; 0: not whole yet; -1: refused. */
int hd_ws_response(const uint8_t *bytes, size_t count, const char *accept);
/* Frames payload_bytes that lie at out + 8 already, masked; returns the first byte to send and its count. */
uint8_t *hd_ws_wrap(uint8_t *out, uint8_t opcode, const uint8_t mask[4], size_t payload_bytes, size_t *count);
/* Takes one message from the front of bytes: its whole length; 0: not whole yet; -1: not one this device takes. */
int hd_ws_take(const uint8_t *bytes, size_t count, uint8_t *opcode, const uint8_t **payload, size_t *payload_bytes);

static inline uint16_t hd_get16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }
static inline uint32_t hd_get32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}
static inline void hd_put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)value;
  at[1] = (uint8_t)(value >> 8);
}
static inline void hd_put32(uint8_t *at, uint32_t value) {
  hd_put16(at, (uint16_t)value);
  hd_put16(at + 2, (uint16_t)(value >> 16));
}

#endif
