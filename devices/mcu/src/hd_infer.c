/*
 * Inference in integers: int8 values and weights, 32-bit sums, a rounded fixed-point product back to int8. Only the last
 * layer's scores and their softmax are floating point. shared/device/run-image.ts computes the same, integer for integer.
 */
#include "hd_image.h"

#include <string.h>

static int32_t load32(const uint8_t *at) { return (int32_t)hd_get32(at); }

/* e^x for x <= 0, within 3e-7: 2^n by the exponent's bits, 2^f by a polynomial. Spares a libm. */
static float exp_negative(float x) {
  float y = x * 1.44269504f;
  if (y < -126.0f) return 0.0f;
  int n = (int)y;
  float f = (y - (float)n) * 0.693147181f;
  float power = 1.0f + f * (1.0f + f * (0.5f + f * (0.166666667f + f * (0.0416666667f + f * (0.00833333333f +
                f * (0.00138888889f + f * (1.98412698e-4f + f * 2.48015873e-5f)))))));
  uint32_t bits = (uint32_t)(127 + n) << 23;
  float scale;
  memcpy(&scale, &bits, 4);
  return power * scale;
}

static int32_t dot(const int8_t *values, const uint8_t *weights, uint32_t count, int32_t zero) {
  int32_t sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += (values[i] - zero) * (int8_t)weights[i];
  return sum;
}

static int32_t accumulate(const hd_layer *l, const uint8_t *image, const int8_t *input, int row, int column, uint32_t channel) {
  int32_t sum = load32(image + l->bias + 4 * channel);
  if (l->op == HD_DENSE) {
    uint32_t depth = hd_box_size(l->input);
    return sum + dot(input, image + l->weights + channel * depth, depth, l->input_zero);
  }
  uint32_t channels = l->input.channels;
  const uint8_t *weights = image + l->weights + channel * l->kernel[0] * l->kernel[1] * channels;
  for (int y = 0; y < l->kernel[0]; y++) {
    int in_row = row * l->stride[0] - l->pad[0] + y;
    if (in_row < 0 || in_row >= l->input.height) continue;
    for (int x = 0; x < l->kernel[1]; x++) {
      int in_column = column * l->stride[1] - l->pad[1] + x;
      if (in_column < 0 || in_column >= l->input.width) continue;
      sum += dot(input + ((uint32_t)in_row * l->input.width + (uint32_t)in_column) * channels,
                 weights + (uint32_t)(y * l->kernel[1] + x) * channels, channels, l->input_zero);
    }
  }
  return sum;
}

/* Rounds half up; a shift of a negative number would be the compiler's choice, so the quotient's floor is spelled out. */
static int64_t shift_right(int64_t value, int shift) {
  int64_t divisor = (int64_t)1 << shift;
  value += divisor / 2;
  return value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor);
}

static int8_t rescale(const hd_layer *l, const uint8_t *image, int32_t sum, uint32_t channel) {
  int64_t product = (int64_t)sum * load32(image + l->multiplier + 4 * channel);
  int64_t value = shift_right(product, image[l->shift + channel]) + l->output_zero;
  return (int8_t)(value < l->output_least ? l->output_least : value > 127 ? 127 : value);
}

static int8_t maximum(const hd_layer *l, const int8_t *input, int row, int column, uint32_t channel) {
  int8_t most = -128;
  for (int y = 0; y < l->kernel[0]; y++) {
    for (int x = 0; x < l->kernel[1]; x++) {
      uint32_t pixel = (uint32_t)(row * l->stride[0] + y) * l->input.width + (uint32_t)(column * l->stride[1] + x);
      int8_t value = input[pixel * l->input.channels + channel];
      if (value > most) most = value;
    }
  }
  return most;
}

static int8_t mean(const hd_layer *l, const int8_t *input, uint32_t channel) {
  uint32_t count = (uint32_t)l->input.height * l->input.width, sum = 0;
  for (uint32_t i = 0; i < count; i++) sum += (uint32_t)(input[i * l->input.channels + channel] + 128);
  return (int8_t)((int32_t)((2 * sum + count) / (2 * count)) - 128);
}

static void run_layer(const hd_layer *l, const uint8_t *image, const int8_t *input, int8_t *output) {
  for (int row = 0; row < l->output.height; row++) {
    for (int column = 0; column < l->output.width; column++) {
      for (uint32_t channel = 0; channel < l->output.channels; channel++) {
        *output++ = l->op == HD_MAX_POOL2D     ? maximum(l, input, row, column, channel)
                    : l->op == HD_AVERAGE_POOL ? mean(l, input, channel)
                                               : rescale(l, image, accumulate(l, image, input, row, column, channel), channel);
      }
    }
  }
}

void hd_infer(const hd_image *image, const int8_t *input, int8_t *scratch, float *logits, int16_t *probabilities) {
  /* Layers lie at the two ends of the scratch memory by turns: the sum of two neighbours is what it must hold. */
  uint32_t size = hd_box_size(image->input);
  int8_t *values = scratch;
  if (input != scratch) memcpy(scratch, input, size);
  for (int i = 0; i < image->layers; i++) {
    hd_layer layer;
    hd_layer_read(&layer, image->bytes, i);
    if (layer.is_last) {
      for (uint32_t label = 0; label < image->labels; label++) {
        uint32_t bits = hd_get32(image->bytes + layer.multiplier + 4 * label);
        float scale;
        memcpy(&scale, &bits, 4);
        logits[label] = (float)accumulate(&layer, image->bytes, values, 0, 0, label) * scale;
      }
      break;
    }
    uint32_t out_size = hd_box_size(layer.output);
    int8_t *output = values == scratch ? scratch + image->scratch_bytes - out_size : scratch;
    run_layer(&layer, image->bytes, values, output);
    values = output;
  }
  float most = logits[0], sum = 0.0f;
  for (int i = 1; i < image->labels; i++) {
    if (logits[i] > most) most = logits[i];
  }
  for (int i = 0; i < image->labels; i++) sum += exp_negative((logits[i] - most) / image->temperature);
  for (int i = 0; i < image->labels; i++) {
    float share = exp_negative((logits[i] - most) / image->temperature) / sum;
    probabilities[i] = (int16_t)(share * 32767.0f + 0.5f);
  }
}
