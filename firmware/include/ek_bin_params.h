/* The part of edgekit.h for layers of one bit: included by it, never alone.
 *
 * A tensor of bits holds -1 as 0 and +1 as 1; its last axis is stored in words of 32 bits, the
 * first element in the lowest one; unused bits of the last word are 0. */
#ifndef EK_BIN_PARAMS_H
#define EK_BIN_PARAMS_H

#include "edgekit.h"
#include "ek_moves.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of a sum. levels > 0: low + the number of the channel's thresholds that are at most
 * the sum, in one byte. levels 0: the sum itself, in `bytes` bytes. */
typedef struct {
    int32_t levels;
    int32_t low;
    int32_t bytes;             /* 2 or 4 */
    const int32_t *thresholds; /* [channels][levels], ascending */
} ek_bin_result;

/* Convolution of bits by weights of one bit, or a fully connected layer as its only pixel. With n
 * bits in a window, a sum is bias - n + 2 * (the number of bits that equal their weight).
 *
 * The first 32 * words output channels are counted 32 at once; the last word may have lanes for
 * channels that there are not, which start as outputs that are never +1. Weights: per word and per
 * window position, rows first, channels last, a word of 32 channels' bits: the parity of this and
 * all earlier positions' inverted weights (ek_bin.h); if the positions are odd in number, the last
 * word twice. The other channels are counted each by itself: inverted weights, [channels][window
 * words], unused bits 0.
 *
 * padding: what padded cells hold, as a word. Where they count for nothing, the starts undo what
 * they hold: classes are which starts an output row and column take, [out_h] and then [out_w]; the
 * set of row class r and column class c is r * column_classes + c.
 * Starts with to_bits, [sets]: per word, `planes` words, the planes of 2^(planes - 1) less the
 * number of equal bits that makes the output +1; then, per other channel, what its
 * sum 2 * (number of equal bits) must not make negative for the output to be +1.
 * Starts without to_bits: [sets][out_c], what added to 2 * (number of equal bits) is the sum.
 *
 * planes: at least 6, and 2^(planes - 1) is more than the bits in a window.
 * Scratch: 4 bytes for each plane, twice that for each 32 bits or part of a window, and 4 for each
 * 32 bits, plus 4 for each 2 bits or part beyond the last 32, plus 4. */
typedef struct {
    ek_window window;
    int32_t out_c;
    int32_t words;
    int32_t planes;
    int32_t padding;
    int32_t to_bits;
    int32_t column_classes;
    const int8_t *classes;
    const int32_t *weights; /* of counted words, then of the other channels */
    const int32_t *starts;
    ek_bin_result result;
} ek_bin_conv2d_params;

void ek_bin_conv2d(const ek_bin_conv2d_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* The same by weights of -1, 0 and +1. With k weights of a channel that are not 0, its sum is
 * bias - k + 2 * (the number of those whose sign is the input's). All channels are counted 32 at
 * once; words is out_c / 32, rounded up. Weights: per word and per window position two words of
 * 32 channels' bits: weights of -1, and weights that are not 0. Starts as above, without other
 * channels. planes: 2^(planes - 1) is more than the largest k.
 * Scratch: 4 bytes for each plane, and for each 32 bits or part of a window. */
typedef ek_bin_conv2d_params ek_bin_ternary_params;

void ek_bin_ternary(const ek_bin_ternary_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* The same with groups of up to four words, 128 channels: where words stand above, all words of a
 * group stand side by side, those of weights and of starts. Up to 12 bytes behind both are read.
 * Scratch: planes and the list behind the windows have 16 bytes for each 4. */
typedef ek_bin_conv2d_params ek_bin_conv2d_mve_params;

void ek_bin_conv2d_mve(const ek_bin_conv2d_mve_params *p, int32_t *scratch, const int8_t *x,
                       int8_t *y);

/* The depthwise form: each output channel has the weights and the input channel of its own.
 * Weights: per word of 32 output channels, inverted, per window position. Starts as above, all
 * channels counted 32 at once; a last word's missing channels start as outputs that are never +1.
 * planes: 2^(planes - 1) is more than the positions of a window.
 * Scratch: 4 bytes for each plane, and 8 for each position of a window. */
typedef struct {
    ek_window window;
    int32_t multiplier; /* output channels per input channel */
    int32_t planes;
    int32_t padding;
    int32_t to_bits;
    int32_t column_classes;
    const int8_t *classes;
    const int32_t *weights;
    const int32_t *starts;
    ek_bin_result result;
} ek_bin_depthwise_params;

void ek_bin_depthwise(const ek_bin_depthwise_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y);

/* Bit l * channels + c of a pixel is set if x[c] >= thresholds[l * row + c * step]; thresholds are
 * -128 to 128, and 128 is never reached. */
typedef struct {
    int32_t pixels;
    int32_t channels;
    int32_t levels;
    int32_t row;  /* channels; 1: one threshold of a level for all */
    int32_t step; /* 1; then 0 */
    const int16_t *thresholds;
} ek_bin_threshold_params;

void ek_bin_threshold(const ek_bin_threshold_params *p, const int8_t *x, int8_t *y);

/* The general form. x has `bytes` bytes a value, 1, 2 or 4; 0: it is bits. to_bits 0: y is
 * low + the number of the channel's thresholds that are at most x, in one byte. Else bits as above.
 * Thresholds: [channels or 1][levels], ascending. */
typedef struct {
    int32_t pixels;
    int32_t channels;
    int32_t levels;
    int32_t bytes;
    int32_t to_bits;
    int32_t low;
    int32_t step; /* levels; 0: one row for all channels */
    const int32_t *thresholds;
} ek_threshold_params;

void ek_threshold(const ek_threshold_params *p, const int8_t *x, int8_t *y);

/* Maximum over the cells inside the input: a bit is set if one of them is. */
typedef struct {
    ek_window window;
} ek_bin_maxpool_params;

void ek_bin_maxpool(const ek_bin_maxpool_params *p, const int8_t *x, int8_t *y);

/* The same bits in rows of another length. */
typedef struct {
    int32_t size;
    int32_t in_row;
    int32_t out_row;
} ek_bin_reshape_params;

void ek_bin_reshape(const ek_bin_reshape_params *p, const int8_t *x, int8_t *y);

/* The output is (n0, n1, n2, n3) bits; bit (i, j, k, l) is that at start + i * step0 + j * step1 +
 * k * step2 + l * step3, unused bits of the input's rows counted. */
typedef ek_copy_s8_params ek_bin_copy_params;

void ek_bin_copy(const ek_bin_copy_params *p, const int8_t *x, int8_t *y);

/* xs[k] is (rows, widths[k]) bits; the output's rows hold one row of each. */
typedef ek_concat_s8_params ek_bin_concat_params;

void ek_bin_concat(const ek_bin_concat_params *p, const int8_t *const *xs, int8_t *y);

/* Cells of `value`, 0 or -1 (all bits), added around an image of (in_h, in_w, in_c) bits. */
typedef ek_pad_s8_params ek_bin_pad_params;

void ek_bin_pad(const ek_bin_pad_params *p, const int8_t *x, int8_t *y);

#ifdef __cplusplus
}
#endif

#endif
