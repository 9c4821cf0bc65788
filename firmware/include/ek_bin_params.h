/* The part of edgekit.h for layers of one bit: included by it, never alone.
 *
 * A tensor of bits holds -1 as 0 and +1 as 1; its last axis is stored in words of 32 bits, the
 * first element in the lowest one; unused bits of the last word are 0. */
#ifndef EK_BIN_PARAMS_H
#define EK_BIN_PARAMS_H

#include "edgekit.h"

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
 * The first 32 * words output channels are counted 32 at once. Weights: per word and per window
 * position, rows first, channels last, a word of 32 channels' bits: the parity of this and all
 * earlier positions' inverted weights (ek_bin.h); if the positions are odd in number, the last word
 * twice. The other channels are counted each by itself: inverted weights, [channels][window words],
 * unused bits 0.
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

#ifdef __cplusplus
}
#endif

#endif
