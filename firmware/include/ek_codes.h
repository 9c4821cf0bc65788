/* Layers whose weights take 1, 2 or 4 bits; part of edgekit.h.
 *
 * A weight is stored as a code, an unsigned number: w = factor * code - offset. An activation is
 * read as v = q - base, which is 0..255. Then, over a window,
 *   sum of (q - zero point) * w = factor * sum(v * code) - offset * sum(v) + a constant,
 * and sum(v) is found once for all channels. Codes cost no more to multiply than bytes: an AND
 * takes two of them from a word.
 */
#ifndef EK_CODES_H
#define EK_CODES_H

/* Weights: per pair of output channels a and b, `words` words. The depth runs over
 * (kernel_h, kernel_w * in_c), each kernel row filled to a multiple of 4 and the whole to one of
 * 16 / bits; what fills has code 0, as has a missing last channel. Each half of a word has 16 /
 * bits codes, the first in the lowest bits. Portable kernels: the lower half holds codes of a, the
 * upper half those of b. DSP kernels: of every four depths the order is 0, 2, 1, 3. Even ones are
 * in lower halves, odd ones in upper halves, and in each half codes of a and b take turns. */
typedef struct {
    ek_window window;
    int32_t out_c;
    int32_t is_bits; /* x is of bits as in SPEC section 7, -1 and 1; 0: of int8 */
    int32_t base;
    int32_t outside; /* what cells outside the input hold, as q */
    int32_t bits;
    int32_t factor;
    int32_t offset;
    int32_t parts; /* 2: weights of a byte, each as two codes of 4 bits; else 1 */
    int32_t words;
    int32_t run; /* words whose sums keep to 16 bits; portable kernels only */
    const int32_t *weights;
} ek_codes;

/* out = requant(accumulator). Scratch: what edgekit/target/mcu/ops/codes.py says.
 * Pixels are written in order, at most two (DSP: four) at once, after their windows were read. */
typedef struct {
    ek_codes codes;
    const int32_t *bias; /* with all constants folded in */
    ek_requant requant;
} ek_codes_s8_params;

void ek_codes_s8(const ek_codes_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

typedef ek_codes_s8_params ek_codes_dsp_params;

void ek_codes_dsp(const ek_codes_dsp_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* Sums that meet thresholds, or are stored. starts: all constants of each channel; with to_bits
 * less its threshold, and the output is +1 where the sum is not negative. Scratch as above. */
typedef struct {
    ek_codes codes;
    const int32_t *starts;
    int32_t to_bits;
    int32_t pixel_bytes;  /* of outputs */
    ek_bin_result result; /* without to_bits */
} ek_low_codes_s8_params;

void ek_low_codes_s8(const ek_low_codes_s8_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

typedef ek_low_codes_s8_params ek_low_codes_dsp_params;

void ek_low_codes_dsp(const ek_low_codes_dsp_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y);

/* Weights of -1, 0 and 1 as generated code, for layers that have few: each function adds and
 * subtracts the values q of a window, [kernel_h][kernel_w][in_c], for 32 channels or the last ones.
 * Of the codes only window, out_c, is_bits and outside are used, and the factor is 1.
 * Scratch: 128 bytes, and twice the bytes of a window. */
typedef void (*ek_unrolled_sums)(const int8_t *v, int32_t *sums);

typedef struct {
    ek_low_codes_s8_params low;
    const ek_unrolled_sums *sums;
} ek_unrolled_params;

void ek_unrolled(const ek_unrolled_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

/* Weights: [kernel_h][kernel_w][out_c]. Of the codes only window, out_c, is_bits and outside are
 * used, and the factor is 1. Scratch: 4 bytes for each output channel, and a kernel row of values.
 */
typedef struct {
    ek_low_codes_s8_params low;
    int32_t multiplier; /* output channels per input channel */
    const int8_t *weights;
} ek_low_depthwise_params;

void ek_low_depthwise(const ek_low_depthwise_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y);

/* -1, 0 and +1 by weights of -1, 0 and +1, 32 channels at once. With n positions in a window, what
 * is counted is a sum and n. Weights: per word of 32 channels and per window position two words of
 * their bits: weights of +1, and weights that are not 0. Starts with to_bits: per word, `planes`
 * words, the planes of 2^(planes - 1) less the count that makes the output +1; else per channel
 * what added to the count is the sum. planes: 2^(planes - 1) is more than 2 * n.
 * Scratch: 4 bytes for each plane, and 8 for each 32 positions or part. */
typedef struct {
    ek_window window;
    int32_t out_c;
    int32_t words;
    int32_t planes;
    int32_t outside; /* what cells outside the input hold */
    int32_t to_bits;
    int32_t pixel_bytes;
    const int32_t *weights;
    const int32_t *starts;
    ek_bin_result result;
} ek_trit_ternary_params;

void ek_trit_ternary(const ek_trit_ternary_params *p, int32_t *scratch, const int8_t *x, int8_t *y);

#endif
