/*
 * The model file: every offset, size and shape is checked once, here, so that hd_infer.c can trust them. A file that breaks
 * any rule of IMAGE.md is refused. Bounds are computed in 64 bits: three 16-bit dimensions do not fit in 32.
 */
#include "hd_image.h"

#include <string.h>

#define HEADER_BYTES 64
#define LAYER_BYTES 48
#define MAX_LAYERS 16
#define MAX_VALUES 65535u
#define MAX_ACCUMULATOR (1ll << 30)
#define MAX_MULTIPLIER (1 << 22)
#define MAX_SHIFT 50

static float get_float(const uint8_t *at) {
  uint32_t bits = hd_get32(at);
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

static int is_positive(float value) { return value > 0.0f && value < 3.0e38f; }

static hd_box get_box(const uint8_t *at) {
  hd_box box = {hd_get16(at), hd_get16(at + 2), hd_get16(at + 4)};
  return box;
}

static int is_box(hd_box box) {
  uint64_t size = (uint64_t)box.height * box.width * box.channels;
  return size >= 1 && size <= MAX_VALUES;
}

void hd_layer_read(hd_layer *layer, const uint8_t *image, int index) {
  const uint8_t *at = image + HEADER_BYTES + LAYER_BYTES * index;
  layer->op = at[0];
  layer->is_last = at[1];
  layer->output_zero = (int8_t)at[2];
  layer->output_least = (int8_t)at[3];
  layer->input = get_box(at + 4);
  layer->output = get_box(at + 10);
  memcpy(layer->kernel, at + 16, 2);
  memcpy(layer->stride, at + 18, 2);
  memcpy(layer->pad, at + 20, 2);
  layer->input_zero = (int8_t)at[22];
  layer->weights = hd_get32(at + 24);
  layer->bias = hd_get32(at + 28);
  layer->multiplier = hd_get32(at + 32);
  layer->shift = hd_get32(at + 36);
}

static int is_inside(uint32_t offset, uint64_t count, uint32_t size) {
  return offset % 4 == 0 && offset >= HEADER_BYTES && offset + count <= size;
}

static int is_window(const hd_layer *l) {
  if (l->kernel[0] < 1 || l->kernel[1] < 1 || l->stride[0] < 1 || l->stride[1] < 1) return 0;
  if (l->pad[0] >= l->kernel[0] || l->pad[1] >= l->kernel[1]) return 0;
  int32_t last_row = (l->output.height - 1) * l->stride[0], last_column = (l->output.width - 1) * l->stride[1];
  if (last_row - l->pad[0] >= l->input.height || last_column - l->pad[1] >= l->input.width) return 0;
  if (l->op == HD_CONV2D) return 1;
  return l->pad[0] == 0 && l->pad[1] == 0 && l->output.channels == l->input.channels &&
         last_row + l->kernel[0] <= l->input.height && last_column + l->kernel[1] <= l->input.width;
}

static int has_weights(const hd_layer *l, const uint8_t *bytes, uint32_t size) {
  uint32_t channels = l->output.channels;
  uint64_t depth = l->op == HD_DENSE ? hd_box_size(l->input) : (uint64_t)l->kernel[0] * l->kernel[1] * l->input.channels;
  int64_t most = (int64_t)depth * 128 * 255;
  if (most >= MAX_ACCUMULATOR || !is_inside(l->weights, depth * channels, size)) return 0;
  if (!is_inside(l->bias, 4ull * channels, size) || !is_inside(l->multiplier, 4ull * channels, size)) return 0;
  if (!l->is_last && !is_inside(l->shift, channels, size)) return 0;
  for (uint32_t i = 0; i < channels; i++) {
    int64_t bias = (int32_t)hd_get32(bytes + l->bias + 4 * i);
    if ((bias < 0 ? -bias : bias) + most >= MAX_ACCUMULATOR) return 0;
    const uint8_t *factor = bytes + l->multiplier + 4 * i;
    if (l->is_last) {
      if (!is_positive(get_float(factor))) return 0;
      continue;
    }
    uint8_t shift = bytes[l->shift + i];
    if (hd_get32(factor) >= MAX_MULTIPLIER || shift < 1 || shift > MAX_SHIFT) return 0;
  }
  return 1;
}

static int is_layer(const hd_layer *l, const uint8_t *bytes, uint32_t size) {
  if (!is_box(l->input) || !is_box(l->output)) return 0;
  switch (l->op) {
    case HD_CONV2D:
      return is_window(l) && has_weights(l, bytes, size);
    case HD_DENSE:
      return l->output.height == 1 && l->output.width == 1 && has_weights(l, bytes, size);
    case HD_MAX_POOL2D:
      return !l->is_last && l->input_zero == l->output_zero && is_window(l);
    case HD_AVERAGE_POOL:
      return !l->is_last && l->input_zero == l->output_zero && l->output.height == 1 && l->output.width == 1 &&
             l->output.channels == l->input.channels;
    default:
      return 0;
  }
}

int hd_image_open(hd_image *image, const uint8_t *bytes, uint32_t size) {
  if (size < HEADER_BYTES || memcmp(bytes, "HYMC", 4) != 0 || hd_get16(bytes + 4) != 1) return -1;
  image->bytes = bytes;
  image->size = size;
  image->layers = hd_get16(bytes + 6);
  image->input = get_box(bytes + 16);
  image->labels = hd_get16(bytes + 22);
  image->input_scale = get_float(bytes + 24);
  image->input_zero = (int16_t)hd_get16(bytes + 28);
  image->temperature = get_float(bytes + 32);
  image->scratch_bytes = hd_get32(bytes + 12);
  memcpy(image->name, bytes + 40, 24);
  image->name[24] = 0;
  for (const char *at = image->name; *at != 0; at++) {
    if (*at < 0x20 || *at > 0x7e) return -1;
  }
  if (image->layers < 1 || image->layers > MAX_LAYERS || hd_get32(bytes + 8) != size) return -1;
  if (size < HEADER_BYTES + (uint32_t)LAYER_BYTES * image->layers || !is_box(image->input)) return -1;
  if (!is_positive(image->input_scale) || !is_positive(image->temperature)) return -1;
  if (image->input_zero < -128 || image->input_zero > 127 || image->labels < 2 || image->labels > HD_MAX_LABELS) return -1;
  uint32_t flow = hd_box_size(image->input), scratch = 0;
  hd_box box = image->input;
  int zero = image->input_zero;
  for (int i = 0; i < image->layers; i++) {
    hd_layer layer;
    hd_layer_read(&layer, bytes, i);
    if (layer.is_last != (i == image->layers - 1) || !is_layer(&layer, bytes, size)) return -1;
    int fits = layer.op == HD_DENSE ? flow == hd_box_size(layer.input) : memcmp(&box, &layer.input, sizeof box) == 0;
    if (!fits || zero != layer.input_zero) return -1;
    box = layer.output;
    flow = hd_box_size(box);
    zero = layer.output_zero;
    if (hd_box_size(layer.input) + flow > scratch) scratch = hd_box_size(layer.input) + flow;
  }
  return flow == image->labels && scratch == image->scratch_bytes && scratch <= HD_SCRATCH_BYTES ? 0 : -1;
}
