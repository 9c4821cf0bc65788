/* The part of edgekit.h for nodes that look values up or move them: included by it, never alone. */
#ifndef EK_MOVES_H
#define EK_MOVES_H

#include "edgekit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* table[step * channel + 128 + q] is the output of q. y may be x. */
typedef struct {
    int32_t pixels;
    int32_t channels;
    int32_t step;        /* 256: a table for each channel; 0: one for all */
    const int8_t *table; /* of 256, or 256 for each channel */
} ek_lut_s8_params;

void ek_lut_s8(const ek_lut_s8_params *p, const int8_t *x, int8_t *y);

/* xs[k] is (rows, widths[k]); the output's rows hold one row of each. */
typedef struct {
    int32_t rows;
    int32_t count;
    const int32_t *widths;
} ek_concat_s8_params;

void ek_concat_s8(const ek_concat_s8_params *p, const int8_t *const *xs, int8_t *y);

/* The output is (n0, n1, n2, n3); element (i, j, k, l) is
 * x[start + i * step0 + j * step1 + k * step2 + l * step3]. */
typedef struct {
    int32_t start;
    int32_t n0;
    int32_t n1;
    int32_t n2;
    int32_t n3;
    int32_t step0;
    int32_t step1;
    int32_t step2;
    int32_t step3;
} ek_copy_s8_params;

void ek_copy_s8(const ek_copy_s8_params *p, const int8_t *x, int8_t *y);

/* places: the input row of each output row, then the input column of each output column. */
typedef struct {
    int32_t in_w;
    int32_t out_h;
    int32_t out_w;
    int32_t channels;
    const int16_t *places;
} ek_resize_nearest_s8_params;

void ek_resize_nearest_s8(const ek_resize_nearest_s8_params *p, const int8_t *x, int8_t *y);

/* places: for each output row, then column: the two of the input that it lies between, and the
 * second's share in 1/1024. Other fields as in ek_resize_nearest_s8_params. */
typedef ek_resize_nearest_s8_params ek_resize_bilinear_s8_params;

void ek_resize_bilinear_s8(const ek_resize_bilinear_s8_params *p, const int8_t *x, int8_t *y);

#ifdef __cplusplus
}
#endif

#endif
