/* Integer neural network kernels: one function per node of a model, exact to docs/SPEC.md.
 *
 * Images are (height, width, channels), row-major, int8, or int16 in kernels named _s16. Scratch
 * memory is int32 aligned and its size is a formula given beside each kernel. Nothing here
 * allocates, recurses or has state.
 */
#ifndef EDGEKIT_H
#define EDGEKIT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C99 leaves >> of a negative number to the implementation; these kernels need it to floor. */
typedef char ek_arithmetic_shift[((-1 >> 1) == -1) ? 1 : -1];
/* Products and shifts are done in int. */
typedef char ek_int_has_32_bits[(sizeof(int) >= 4) ? 1 : -1];

/* How an accumulator is scaled back to 8 bits. With SPEC section 3's multiplier m and shift e,
 * ek_requant holds m and e, except:
 * the RIGHT forms hold m and n = -e in 1..31, and take accumulators in (-2^30, 2^30) only;
 * the FLOAT32 forms hold the scale's IEEE 754 bits as multiplier, and no shift;
 * FLOAT32_SMALL is for layers where |accumulator * scale| stays below 2^21. */
#define EK_ROUND_DOUBLE 0
#define EK_ROUND_DOUBLE_RIGHT 1
#define EK_ROUND_TIES_UP 2
#define EK_ROUND_TIES_UP_RIGHT 3
#define EK_ROUND_SINGLE 4
#define EK_ROUND_SINGLE_RIGHT 5
#define EK_ROUND_FLOAT32 6
#define EK_ROUND_FLOAT32_SMALL 7

/* out = clamp(round(accumulator * scale) + zero_point, low, high) */
typedef struct {
    const int32_t *multiplier; /* one per channel, or one for all */
    const int8_t *shift;       /* likewise; unused by the FLOAT32 forms */
    int32_t step;              /* 1: one scale per channel; 0: one for all */
    int32_t zero_point;
    int32_t low; /* within the type of the output */
    int32_t high;
    int32_t rounding;
} ek_requant;

/* Where a window meets its input; rows first. Cells outside the input hold no value. */
typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t in_c;
    int32_t out_h;
    int32_t out_w;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t dilation_h;
    int32_t dilation_w;
    int32_t pad_top;
    int32_t pad_left;
} ek_window;

/* Weights: per pair of output channels, depth-major: [depth][2], with depth running over
 * (kernel_h, kernel_w, in_c); then, if their number is odd, the last channel: [depth].
 * Bias: bias - pad_value * sum of the channel's weights; padded cells hold pad_value.
 * Scratch: 16 * out_c + 8 * kernel_h * kernel_w * in_c + 2 * in_c bytes. */
typedef struct {
    ek_window window;
    int32_t out_c;
    int32_t pad_value; /* the input's zero point */
    int32_t lanes;     /* 2: pixels in pairs, needs |sum of q * w| < 2^22 per channel; 1: singly */
    const int8_t *weights;
    const int32_t *bias;
    ek_requant requant;
} ek_conv2d_s8_params;

void ek_conv2d_s8(const ek_conv2d_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* Weights: per output channel, column by column: [out_c][kernel_w][kernel_h].
 * Bias, padding and lanes as for the convolution.
 * Scratch: 16 * out_w + (3 - lanes) * in_w * in_c bytes, and 8 * kernel_h for each of the
 * (out_w - 1) * stride_w + (kernel_w - 1) * dilation_w + 1 columns under a row of windows. */
typedef struct {
    ek_window window;
    int32_t multiplier; /* output channels per input channel */
    int32_t pad_value;
    int32_t lanes; /* as in ek_conv2d_s8_params */
    const int8_t *weights;
    const int32_t *bias;
    ek_requant requant;
} ek_depthwise_s8_params;

void ek_depthwise_s8(const ek_depthwise_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* What the DSP kernels know of their output. A channel has a multiplier m, and a start where its
 * sums begin: the bias. h = half / 2^z, z being the zero bits above m.
 * out = (floor(sum * 2^shift * m / 2^32) + addend + h) >> 14, with -h for +h if away is 1 and
 * sum < 0, then clamped. Whoever packs the channels proves that this is SPEC section 3 for every
 * sum. */
typedef struct {
    const int32_t *multipliers; /* one per channel, or one for all */
    const void *starts;         /* one per channel, of int16_t or int32_t */
    int32_t addend;
    int32_t half;
    int8_t step;     /* 1: one multiplier per channel; 0: one for all */
    int8_t is_short; /* starts are of int16_t */
    int8_t shift;
    int8_t away;
    int8_t low;
    int8_t high;
} ek_dsp_scale;

/* A window as in ek_window, and the input's zero point, which is what padded cells hold. */
typedef struct {
    int16_t in_h;
    int16_t in_w;
    int16_t in_c;
    int16_t out_h;
    int16_t out_w;
    int8_t kernel_h;
    int8_t kernel_w;
    int8_t stride_h;
    int8_t stride_w;
    int8_t dilation_h;
    int8_t dilation_w;
    int8_t pad_top;
    int8_t pad_left;
    int8_t zero_point;
} ek_dsp_window;

/* Weights: per pair of output channels a and b, [depth / 2] words of two halves a + 256 * b, at two
 * depths that follow each other in scratch: sums of both grow in one register, see ek_dsp.h. Each
 * kernel row's kernel_w * in_c depths are padded to an even number; of every four, the order is
 * 0, 2, 1, 3. A missing last channel holds zeros, and the scale's arrays have one for it; its step
 * is 1.
 * Scratch: 8 bytes for each depth, and kernel_w * in_c where a window leaves the input or is
 * dilated. Pixels are written in order, at most four at once, after their windows were read. */
typedef struct {
    ek_dsp_window window;
    int32_t out_c;
    const int8_t *weights;
    ek_dsp_scale scale;
} ek_conv2d_dsp_params;

void ek_conv2d_dsp(const ek_conv2d_dsp_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* 3x3 filters, no dilation, as many channels out as in, at least 4; away must be 0.
 * Weights: [3][3][in_c].
 * Scratch: 4 bytes, 32 for each of the (out_w - 1) * stride_w + 3 columns under the windows, and
 * 176 with strides of 1, else 176 for each four channels or part of four.
 * y may be x with strides of 1 and equal shapes. */
typedef struct {
    ek_dsp_window window;
    const int8_t *weights;
    ek_dsp_scale scale;
} ek_depthwise_dsp_params;

void ek_depthwise_dsp(const ek_depthwise_dsp_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y);

/* Weights: per pair of rows a and b, their depths padded to a multiple of four, words as in
 * ek_conv2d_dsp_params. A missing last row holds zeros. */
typedef struct {
    int32_t in_n;
    int32_t out_n;
    int32_t zero_point; /* the input's */
    const int32_t *weights;
    ek_dsp_scale scale;
} ek_dense_dsp_params;

void ek_dense_dsp(const ek_dense_dsp_params *p, const int8_t *x, int8_t *y);

/* As ek_conv2d_dsp, but: sums are of x * w, and the input's zero point is folded into the starts.
 * Weights: per pair of output channels a and b, for each two depths (a0, a1, b0, b1), never -128
 * twice in a0, a1; an odd last depth and a missing last channel hold zeros.
 * Scratch: 20 bytes for each output channel, 8 for each depth, an odd one counted twice, and 8;
 * and in_c. Pixels are written in order, four at once, after their windows were read. */
typedef ek_conv2d_dsp_params ek_conv2d_rv32_params;

void ek_conv2d_rv32(const ek_conv2d_rv32_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* As ek_depthwise_dsp, but: one channel is enough, columns at most two apart, and the input's zero
 * point is folded into the starts. Weights: [in_c][3][3].
 * Scratch: (out_h - 1) * stride_h + 3 times (out_w - 1) * stride_w + 3 bytes.
 * y may be x with strides of 1 and equal shapes. */
typedef ek_depthwise_dsp_params ek_depthwise_rv32_params;

void ek_depthwise_rv32(const ek_depthwise_rv32_params *p, int32_t *scratch, const int8_t *x,
                       int8_t *y);

/* Weights: per group of four rows [in_n][4], then the last out_n % 4 rows; input zero point folded
 * into bias. */
typedef struct {
    int32_t in_n;
    int32_t out_n;
    const int8_t *weights;
    const int32_t *bias;
    ek_requant requant;
} ek_dense_s8_params;

void ek_dense_s8(const ek_dense_s8_params *p, const int8_t *x, int8_t *y);

/* Fixed-point roundings only; y may be a or b. */
typedef struct {
    int32_t size;
    int32_t left_shift; /* at most 21 */
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t b_sign; /* -1: the difference a - b; else 1 */
    int32_t a_multiplier;
    int32_t b_multiplier;
    int32_t a_shift; /* to the right, 0..31, whatever the rounding */
    int32_t b_shift;
    ek_requant requant;
} ek_add_s8_params;

void ek_add_s8(const ek_add_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y);

/* clamp((a_factor * a + b_factor * b + offset) >> shift), for models where that is proved equal for
 * every pair of inputs; |a_factor| * 128 + |b_factor| * 128 + |offset| < 2^31. y may be a or b. */
typedef struct {
    int32_t size;
    int32_t a_factor;
    int32_t b_factor;
    int32_t offset;
    int32_t shift;
    int32_t low;
    int32_t high;
} ek_add_linear_s8_params;

void ek_add_linear_s8(const ek_add_linear_s8_params *p, const int8_t *a, const int8_t *b,
                      int8_t *y);

/* float32_rne form: clamp(rint(fma(a - za, a_scale, fma(b - zb, b_scale, addend))) + zero_point);
 * the three constants are IEEE 754 bits. y may be a or b. */
typedef struct {
    int32_t size;
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t zero_point;
    int32_t low;
    int32_t high;
    int32_t a_scale;
    int32_t b_scale;
    int32_t addend;
} ek_add_f32_s8_params;

void ek_add_f32_s8(const ek_add_f32_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y);

/* Mean over the cells inside the input. scaled 0: rounded half away from zero, clamped to low
 * and high; scaled 1: the sum of (q - zero_point) goes through requant. */
typedef struct {
    ek_window window;
    int32_t low;
    int32_t high;
    int32_t scaled;
    int32_t input_zero_point; /* for scaled 1 */
    ek_requant requant;       /* for scaled 1 */
} ek_avgpool_s8_params;

void ek_avgpool_s8(const ek_avgpool_s8_params *p, const int8_t *x, int8_t *y);

/* Maximum over the cells inside the input, clamped. */
typedef struct {
    ek_window window;
    int32_t low;
    int32_t high;
} ek_maxpool_s8_params;

void ek_maxpool_s8(const ek_maxpool_s8_params *p, const int8_t *x, int8_t *y);

/* The same of sums; they begin at multiples of their size. */
typedef struct {
    ek_window window;
    int32_t low;
    int32_t high;
    int32_t is_long; /* 32 bits, else 16 */
} ek_maxpool_wide_params;

void ek_maxpool_wide(const ek_maxpool_wide_params *p, const int8_t *x, int8_t *y);

/* Cells added around an image of (in_h, in_w, in_c). */
typedef struct {
    int32_t in_h;
    int32_t in_w;
    int32_t in_c;
    int32_t before_h;
    int32_t before_w;
    int32_t before_c;
    int32_t after_h;
    int32_t after_w;
    int32_t after_c;
    int32_t value;
} ek_pad_s8_params;

void ek_pad_s8(const ek_pad_s8_params *p, const int8_t *x, int8_t *y);

/* y may be x. */
typedef struct {
    int32_t size;
    int32_t low;
    int32_t high;
} ek_clamp_s8_params;

void ek_clamp_s8(const ek_clamp_s8_params *p, const int8_t *x, int8_t *y);

/* y may be x. */
typedef struct {
    int32_t pixels;
    int32_t channels;
    int32_t input_zero_point;
    ek_requant requant;
} ek_requantize_s8_params;

void ek_requantize_s8(const ek_requantize_s8_params *p, const int8_t *x, int8_t *y);

/* Over each row of `depth` values; output scale 1/256, zero point -128.
 * table[i] is exp(-i * input scale * beta) in Q0.31, or -1 where it has no share. */
typedef struct {
    int32_t rows;
    int32_t depth; /* at most 511 */
    const int32_t *table;
} ek_softmax_s8_params;

void ek_softmax_s8(const ek_softmax_s8_params *p, const int8_t *x, int8_t *y);

/* a is (outer, inner), b is (inner) and meets each row of a. y may be a, and b where outer is 1. */
typedef struct {
    int32_t outer;
    int32_t inner;
    int32_t a_zero_point;
    int32_t b_zero_point;
    ek_requant requant; /* one scale */
} ek_mul_s8_params;

void ek_mul_s8(const ek_mul_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y);

/* float32_rne with the source's zero point: clamp(rint(f32(f32(acc * scale) + addend)) +
 * zero_point); scale is IEEE 754 bits. y may be a, or b where outer is 1. */
typedef struct {
    int32_t outer;
    int32_t inner;
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t scale;
    int32_t addend;
    int32_t zero_point;
    int32_t low;
    int32_t high;
} ek_mul_f32_s8_params;

void ek_mul_f32_s8(const ek_mul_f32_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y);

#ifdef __cplusplus
}
#endif

#include "ek_bin_params.h"
#include "ek_bit_tables.h"
#include "ek_codes.h"
#include "ek_moves.h"
#include "ek_mve_params.h"
#include "ek_wide.h"

#endif
