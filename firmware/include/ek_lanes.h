/* Two pixels in one multiplication, four at a time.
 *
 * A pair of pixels is packed as p = a + b * 2^23, which fits int32. One long multiply-accumulate
 * then adds a * w and b * w at once: a 64-bit sum of p * w is sum(a * w) + sum(b * w) * 2^23, and
 * as long as the *final* sum(a * w) lies in [-2^22, 2^22) both can be read back exactly. Whoever
 * packs the weights proves that per channel. Lane b has no such limit, so where the proof fails
 * (lanes 1), every lane a holds zeros. The start value 2^22 keeps lane a positive.
 *
 * Kernels work on four slots: pair (0, 1) and pair (2, 3). A slot without a pixel reads zeros,
 * and writes where slot 3 writes later: slot 3 is always used, and slots are written in order.
 */
#ifndef EK_LANES_H
#define EK_LANES_H

#include "ek_requant.h"

#define EK_LANE_BITS 23
#define EK_LANE_START ((int64_t)1 << 22)
#define EK_SLOTS 4

/* One source or destination per slot. */
typedef struct {
    const int8_t *at[EK_SLOTS];
} ek_sources;

typedef struct {
    int8_t *at[EK_SLOTS];
} ek_targets;

/* How many pixels go into the next four slots when `left` remain. */
static inline int32_t ek_take(int32_t left, int32_t lanes)
{
    return left < 2 * lanes ? left : 2 * lanes;
}

/* Which of `n` pixels slot `slot` holds, or -1: the last ones, or the lanes b. */
static inline int32_t ek_slot_pixel(int32_t slot, int32_t n, int32_t lanes)
{
    if (lanes == 1) {
        return (slot & 1) != 0 ? slot / 2 + n - 2 : -1;
    }
    return slot + n - EK_SLOTS;
}

static inline int32_t ek_pair(int32_t a, int32_t b)
{
    return a + b * (1 << EK_LANE_BITS);
}

/* Read both lanes back, a first. */
static inline void ek_split(int64_t sum, int32_t *out)
{
    out[0] =
        (int32_t)((uint32_t)((uint64_t)sum & ((1U << EK_LANE_BITS) - 1U))) - (int32_t)EK_LANE_START;
    out[1] = (int32_t)(sum >> EK_LANE_BITS);
}

/* Scale one channel's four sums. */
static inline void ek_store_slots(const ek_scale *scale, int32_t bias, const int32_t *sums,
                                  const ek_targets *y, int32_t offset)
{
    const int32_t s1 = sums[1] + bias;
    const int32_t s2 = sums[2] + bias;
    const int32_t s3 = sums[3] + bias;
    y->at[0][offset] = ek_apply(scale, sums[0] + bias);
    y->at[1][offset] = ek_apply(scale, s1);
    y->at[2][offset] = ek_apply(scale, s2);
    y->at[3][offset] = ek_apply(scale, s3);
}

#endif
