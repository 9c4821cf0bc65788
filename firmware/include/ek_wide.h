/* The part of edgekit.h for 16-bit activations, whose zero points are 0: included by it, never
 * alone. */
#ifndef EK_WIDE_H
#define EK_WIDE_H

#include "edgekit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fields as in ek_add_s8; left_shift at most 15. */
typedef ek_add_s8_params ek_add_s16_params;

void ek_add_s16(const ek_add_s16_params *p, const int16_t *a, const int16_t *b, int16_t *y);

/* Weights: [out_c][kernel_h][kernel_w][in_c]. */
typedef struct {
    ek_window window;
    int32_t out_c;
    const int8_t *weights;
    const int32_t *bias;
    ek_requant requant;
} ek_conv2d_s16_params;

void ek_conv2d_s16(const ek_conv2d_s16_params *p, const int16_t *x, int16_t *y);

/* With step 1, the second scale is that of values
 * below 0: a leaky ReLU. y may be x. */
typedef struct {
    int32_t size;
    ek_requant requant;
} ek_requantize_s16_params;

void ek_requantize_s16(const ek_requantize_s16_params *p, const int16_t *x, int16_t *y);

#ifdef __cplusplus
}
#endif

#endif
