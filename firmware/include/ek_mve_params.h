/* The part of edgekit.h for Armv8.1-M's vectors (MVE, Helium): included by it, never alone. */
#ifndef EK_MVE_PARAMS_H
#define EK_MVE_PARAMS_H

#include "edgekit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the MVE kernels know of their output: out = clamp(round(sum * scale) + zero_point). */
typedef struct {
    const int32_t *multiplier; /* as in ek_requant; one per channel, or one for all */
    const int32_t *channels;   /* bias * 256 + (-n & 255), n as in ek_requant */
    int8_t step;               /* 1: one multiplier per channel; 0: one for all */
    int8_t rounding;           /* a RIGHT or FLOAT32 form */
    int8_t zero_point;
    int8_t low;
    int8_t high;
} ek_mve_scale;

/* A window as in ek_window, without dilation, and the input's zero point. */
typedef struct {
    int16_t in_h;
    int16_t in_w;
    int16_t in_c;
    int16_t out_h;
    int16_t out_w;
    int16_t out_c;
    int8_t kernel_h;
    int8_t kernel_w;
    int8_t stride_h;
    int8_t stride_w;
    int8_t pad_top;
    int8_t pad_left;
    int8_t zero_point;
    int8_t way; /* how the kernel goes about it */
} ek_mve_window;

/* Weights: per group of four output channels, for each 16 depths [4][16], then [4][rest], with
 * depth running over (kernel_h, kernel_w, in_c); the last out_c % 4 channels one after the other.
 * Up to 15 bytes behind the weights are read. Bias as for ek_conv2d_s8.
 * way 0: windows are read in place; needs 1x1 filters and no padding.
 * way 1: windows are copied to scratch: twice the depth rounded up to 4 bytes.
 * Pixels are written in order, two at a time, after their windows were read, or while they are
 * with way 0. */
typedef struct {
    ek_mve_window window;
    const int8_t *weights;
    ek_mve_scale scale;
} ek_conv2d_mve_params;

void ek_conv2d_mve(const ek_conv2d_mve_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* 3x3 filters, as many channels out as in; padding above and to the left at most 2; n at most 23.
 * way 0: the kernel works along the rows.
 * way 1: down the columns, which is faster for images higher than wide; strides must be 1.
 * Weights: [in_c][3][3], columns of each filter one after the other, or rows with way 1. Bias as
 * for ek_conv2d_s8.
 * Scratch: 32 bytes, 64 for each of (out - 1) * stride + 4 cells along what it works along, and
 * 256; with strides other than 1, out is rounded up to 4, and it is 256 for each 16 channels or
 * part of 16.
 * y may be x with strides of 1 and equal shapes. */
typedef struct {
    ek_mve_window window;
    const int8_t *weights;
    ek_mve_scale scale;
} ek_depthwise_mve_params;

void ek_depthwise_mve(const ek_depthwise_mve_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y);

#ifdef __cplusplus
}
#endif

#endif
