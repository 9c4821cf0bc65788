/* The application around the model: what the link, RUN and the text commands share. */
#ifndef EK_APP_H
#define EK_APP_H

#include <stdint.h>

/* Copies MODEL_INPUT_BYTES to the model's input; 0 means zeros. */
void ek_app_load(const uint8_t *input);

/* Runs the model once with the mark pin high and returns the cycles it took. The input must have
 * been loaded before each call: the arena reuses it. The pin stays high unless `last`. */
uint32_t ek_app_infer(uint32_t last);

#endif
