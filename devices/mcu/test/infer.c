/* Reads 8-bit grey images of the model's size from standard input, writes one line of logits and probabilities an image. */
#include "hd.h"

#include <stdio.h>

int main(int count, char **arguments) {
  static uint8_t model[HD_SLOT_BYTES];
  static int8_t input[HD_SCRATCH_BYTES], scratch[HD_SCRATCH_BYTES];
  float logits[HD_MAX_LABELS];
  int16_t probabilities[HD_MAX_LABELS];
  hd_image image;
  FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  if (!file) return 1;
  size_t size = fread(model, 1, sizeof model, file);
  fclose(file);
  if (hd_image_open(&image, model, (uint32_t)size) != 0) return 2;
  size_t values = (size_t)image.input.height * image.input.width * image.input.channels;
  while (fread(input, 1, values, stdin) == values) {
    for (size_t i = 0; i < values; i++) input[i] = (int8_t)((uint8_t)input[i] - 128);
    hd_infer(&image, input, scratch, logits, probabilities);
    for (int i = 0; i < image.labels; i++) printf("%.9g ", (double)logits[i]);
    for (int i = 0; i < image.labels; i++) printf("%d%c", probabilities[i], i + 1 < image.labels ? ' ' : '\n');
  }
  return 0;
}
