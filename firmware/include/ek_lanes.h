/* Two pixels in one multiplication.
 *
 * A pair of pixels is packed as p = a + b * 2^23, which fits int32. One long multiply-accumulate
 * then adds a * w and b * w at once: a 64-bit sum of p * w is sum(a * w) + sum(b * w) * 2^23, and
 * as long as the *final* sum(a * w) lies in [-2^22, 2^22) both can be read back exactly. Whoever
 * packs the weights proves that per channel; where it fails, b is held at 0 (lanes 1) and the
 * low 32 bits are the sum. The start value 2^22 keeps the low field positive.
 */
#ifndef EK_LANES_H
#define EK_LANES_H

#include "ek_requant.h"

#define EK_LANE_BITS 23
#define EK_LANE_START ((int64_t)1 << 22)

static inline int32_t ek_pair(int32_t a, int32_t b)
{
    return a + b * (1 << EK_LANE_BITS);
}

/* Pack `n` values of two pixels. */
static inline void ek_pack(int32_t *out, const int8_t *a, const int8_t *b, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        out[i] = ek_pair(a[i], b[i]);
    }
}

/* The two sums, without bias. */
static inline int32_t ek_lane_a(int64_t acc, int32_t lanes)
{
    const uint32_t low = (uint32_t)((uint64_t)acc & 0xFFFFFFFFU);
    if (lanes == 1) {
        return (int32_t)(low - (uint32_t)EK_LANE_START);
    }
    return (int32_t)(low & ((1U << EK_LANE_BITS) - 1U)) - (int32_t)EK_LANE_START;
}

static inline int32_t ek_lane_b(int64_t acc)
{
    return (int32_t)(acc >> EK_LANE_BITS);
}

/* Scale both sums of `channel` and store them. For a single pixel b is a: a is written last. */
static inline void ek_store_pair(const ek_requant *requant, int32_t channel, int32_t bias,
                                 int64_t acc, int32_t lanes, int8_t *a, int8_t *b)
{
    const ek_scale scale = ek_scale_of(requant, channel);
    const int32_t sum_a = ek_lane_a(acc, lanes) + bias;
    const int32_t sum_b = lanes == 1 ? sum_a : ek_lane_b(acc) + bias;
    *b = ek_apply(&scale, sum_b);
    *a = ek_apply(&scale, sum_a);
}

#endif
