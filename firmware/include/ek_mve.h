/* What the MVE kernels (Armv8.1-M: vectors of 16 bytes) share. Each of them has a second form in
 * plain C that reads the same tables, for every other CPU: with it they run on any host.
 */
#ifndef EK_MVE_H
#define EK_MVE_H

#include "ek_requant.h"

/* Without optimization the instructions written out find no registers. */
#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && defined(__OPTIMIZE__)
#define EK_MVE 1
#else
#define EK_MVE 0
#endif

#define EK_VECTOR 16 /* bytes */

#if EK_MVE

#include <arm_mve.h>

/* Four sums from core registers: one instruction moves two. */
static inline int32x4_t ek_mve_from(int32_t a, int32_t b, int32_t c, int32_t d)
{
    int32x4_t out;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n\tvmov %q0[3], %q0[1], %2, %4"
            : "=w"(out)
            : "r"(a), "r"(b), "r"(c), "r"(d));
    return out;
}

/* R of SPEC section 3 of two pixels' sums, by one of the RIGHT or FLOAT32 forms. `rows` are words
 * of ek_mve_scale's channels: a vector's shift is taken from the lowest byte of each lane. */
static inline int32x4x2_t ek_mve_round(int32_t rounding, int32x4x2_t sums, int32x4_t m,
                                       int32x4_t rows)
{
    int32x4_t s = sums.val[0];
    int32x4_t t = sums.val[1];
    if (EK_IS(rounding, EK_ROUND_FLOAT32_SMALL) || EK_IS(rounding, EK_ROUND_FLOAT32)) {
        const float32x4_t f = vreinterpretq_f32_s32(m);
        s = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(s), f));
        t = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(t), f));
    } else if (EK_IS(rounding, EK_ROUND_SINGLE_RIGHT)) {
        s = vrshlq_s32(vqdmulhq_s32(s, m), rows);
        t = vrshlq_s32(vqdmulhq_s32(t, m), rows);
    } else {
        s = vqrdmulhq_s32(s, m);
        t = vqrdmulhq_s32(t, m);
        if (EK_IS(rounding, EK_ROUND_DOUBLE_RIGHT)) {
            s = vaddq_s32(s, vshrq_n_s32(s, 31));
            t = vaddq_s32(t, vshrq_n_s32(t, 31));
        }
        s = vrshlq_s32(s, rows);
        t = vrshlq_s32(t, rows);
    }
    sums.val[0] = s;
    sums.val[1] = t;
    return sums;
}

#else

/* An output of channel `c` from its sum without the bias. */
static inline int8_t ek_mve_finish(const ek_mve_scale *s, int32_t c, int32_t sum)
{
    const int32_t row = s->channels[c];
    const int32_t n = -(int8_t)(uint8_t)((uint32_t)row & 0xFFU);
    const int32_t v = ek_round(s->rounding, sum + (row >> 8), s->multiplier[c * s->step], n);
    return (int8_t)ek_clamp(v + s->zero_point, s->low, s->high);
}

#endif

#endif
