/*
 * Devices on a host: as many as the list names, in one process, each with a connection and a flash of its own. One line of JSON
 * an event on standard output. `ask` classifies images and asks the gateway about those it is unsure of.
 *
 *   hybrid-device HOST PORT DEVICES [--flash FOLDER] [--model FILE] [--ask IMAGES] [--tether stdin]
 *
 * DEVICES: one `id key` a line. --model: what a device without any model begins with. IMAGES: 8-bit grey pixels, no header.
 * --tether stdin: ends when standard input does, so that it cannot outlive who started it.
 */
#define _POSIX_C_SOURCE 200112L
#include "posix.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  char id[HD_NAME_BYTES + 1], key[129], file[512];
  hd_posix posix;
  hd_port port;
  hd_config config;
  hd_client client;
  const uint8_t *images;
  size_t images_left, image_bytes;
  hd_answer own;
  uint32_t open_question;
  int is_lost;
  uint32_t due_ms;
} device;

static void on_event(void *context, const char *event) {
  device *d = context;
  if (strcmp(event, "lost") == 0) d->is_lost = 1;
  printf("{\"device\":\"%s\",\"event\":\"%s\",\"threshold\":%.6f,\"model\":\"", d->id, event, (double)d->client.threshold);
  for (int i = 0; i < 4 && d->client.has_model; i++) printf("%02x", d->client.model_hash[i]);
  printf("\",\"at_ms\":%u}\n", d->port.now_ms(d->port.context));
  fflush(stdout);
}

static void report(device *d, const char *by, int status, unsigned label, float confidence) {
  printf("{\"device\":\"%s\",\"event\":\"answer\",\"by\":\"%s\",\"status\":%d,\"label\":%u,\"confidence\":%.6f}\n", d->id, by,
         status, label, (double)confidence);
  fflush(stdout);
  d->images += d->image_bytes;
  d->images_left--;
  d->open_question = 0;
}

static void on_answer(void *context, uint32_t request, int status, uint16_t label, float confidence) {
  device *d = context;
  if (request == d->open_question) report(d, "gateway", status, label, confidence);
}

/* The next image: answered here where the device is sure, else asked; asked again after a lost connection. */
static void look_at_images(device *d) {
  int8_t input[HD_FRAME_BYTES];
  if (d->images_left == 0 || !hd_client_is_ready(&d->client) || !d->client.has_model) return;
  hd_box box = d->client.image.input;
  d->image_bytes = (size_t)box.height * box.width * box.channels;
  if (d->image_bytes > sizeof input) return;
  for (size_t i = 0; i < d->image_bytes; i++) input[i] = (int8_t)(d->images[i] - 128);
  if (d->open_question != 0) {
    if (d->is_lost && hd_client_ask(&d->client, input, &d->own, 10000, d->open_question)) d->is_lost = 0;
    return;
  }
  if (hd_client_classify(&d->client, input, &d->own) != 0) return;
  if (!d->own.unsure) report(d, "device", HD_OK, d->own.label, d->own.confidence);
  else d->open_question = hd_client_ask(&d->client, input, &d->own, 10000, 0);
  d->is_lost = 0;
}

static uint8_t *read_file(const char *name, size_t *size) {
  FILE *file = fopen(name, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) return NULL;
  long length = ftell(file);
  rewind(file);
  uint8_t *bytes = length > 0 ? malloc((size_t)length) : NULL;
  if (bytes && fread(bytes, 1, (size_t)length, file) != (size_t)length) bytes = NULL;
  fclose(file);
  *size = (size_t)length;
  return bytes;
}

static int fail(const char *what, const char *name) {
  fprintf(stderr, "hybrid-device: %s %s\n", what, name);
  return 1;
}

int main(int count, char **arguments) {
  int tether = 0;
  const char *folder = NULL, *model_file = NULL, *images_file = NULL;
  if (count < 4) return fail("usage:", "hybrid-device HOST PORT DEVICES [--flash FOLDER] [--model FILE] [--ask IMAGES]");
  for (int i = 4; i + 1 < count; i += 2) {
    if (strcmp(arguments[i], "--flash") == 0) folder = arguments[i + 1];
    else if (strcmp(arguments[i], "--model") == 0) model_file = arguments[i + 1];
    else if (strcmp(arguments[i], "--ask") == 0) images_file = arguments[i + 1];
    else if (strcmp(arguments[i], "--tether") == 0) tether = 1;
    else return fail("there is no option", arguments[i]);
  }
  static struct pollfd waits[4097];
  size_t model_bytes = 0, images_bytes = 0;
  uint8_t *model = model_file ? read_file(model_file, &model_bytes) : NULL;
  uint8_t *images = images_file ? read_file(images_file, &images_bytes) : NULL;
  if (model_file && !model) return fail("cannot read", model_file);
  if (images_file && !images) return fail("cannot read", images_file);
  FILE *list = fopen(arguments[3], "r");
  if (!list) return fail("cannot read", arguments[3]);
  static device *devices[4096];
  size_t devices_count = 0;
  char id[HD_NAME_BYTES + 1], key[129];
  while (devices_count < 4096 && fscanf(list, "%64s %128s", id, key) == 2) {
    device *d = calloc(1, sizeof *d);
    if (!d) return fail("no memory for", id);
    memcpy(d->id, id, sizeof id);
    memcpy(d->key, key, sizeof key);
    if (folder) snprintf(d->file, sizeof d->file, "%s/%s.flash", folder, id);
    if (hd_posix_open(&d->posix, arguments[1], arguments[2], folder ? d->file : NULL) != 0) return fail("no flash for", id);
    d->port = hd_posix_port(&d->posix);
    hd_config config = {arguments[1], d->id, d->key, "hybrid-device 1.0", sizeof(hd_client), on_answer, on_event, d};
    d->config = config;
    hd_client_init(&d->client, &d->config, &d->port);
    if (!d->client.has_model && model) {
      hd_slot_install(&d->port, 0, 1, model, (uint32_t)model_bytes);
      hd_client_init(&d->client, &d->config, &d->port);
    }
    d->images = images;
    d->images_left = images && d->client.has_model ? images_bytes / 784 : 0;
    d->due_ms = d->port.now_ms(NULL);
    devices[devices_count++] = d;
  }
  fclose(list);
  for (;;) {
    uint32_t wait_ms = 1000, now_ms = devices_count ? devices[0]->port.now_ms(NULL) : 0;
    for (size_t i = 0; i < devices_count; i++) {
      device *d = devices[i];
      int32_t left_ms = (int32_t)(d->due_ms - now_ms);
      /* Only those with something to do: a step of an idle device costs a call of the system. */
      if (left_ms <= 0 || waits[i].revents != 0 || d->images_left > 0) {
        uint32_t next_ms = hd_client_step(&d->client);
        look_at_images(d);
        if (hd_client_wants_to_send(&d->client) && hd_client_is_ready(&d->client)) next_ms = hd_client_step(&d->client);
        d->due_ms = now_ms + next_ms;
        left_ms = (int32_t)next_ms;
        waits[i].fd = d->posix.socket;
        waits[i].events = (short)(POLLIN | (hd_client_wants_to_send(&d->client) ? POLLOUT : 0));
      }
      if (d->images_left > 0 && d->open_question == 0 && hd_client_is_ready(&d->client)) left_ms = 0;
      if ((uint32_t)left_ms < wait_ms) wait_ms = (uint32_t)left_ms;
    }
    waits[devices_count].fd = tether ? 0 : -1;
    waits[devices_count].events = POLLIN;
    if (poll(waits, devices_count + 1, (int)wait_ms) < 0) return fail("cannot wait for", "its connections");
    char line[64];
    if (waits[devices_count].revents != 0 && read(0, line, sizeof line) <= 0) return 0;
  }
}
