/* A layer's record as hd_image.c has checked it and hd_infer.c uses it. */
#ifndef HD_IMAGE_H
#define HD_IMAGE_H

#include "hd.h"

enum { HD_CONV2D = 1, HD_DENSE, HD_MAX_POOL2D, HD_AVERAGE_POOL };

typedef struct {
  uint8_t op, is_last;
  int8_t output_zero, output_least, input_zero;
  hd_box input, output;
  uint8_t kernel[2], stride[2], pad[2];
  uint32_t weights, bias, multiplier, shift; /* offsets */
} hd_layer;

void hd_layer_read(hd_layer *layer, const uint8_t *image, int index);
static inline uint32_t hd_box_size(hd_box box) { return (uint32_t)box.height * box.width * box.channels; }

#endif
