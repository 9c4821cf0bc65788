/* The four roundings of docs/SPEC.md section 3, each as an inline function.
 *
 * EK_ROUNDINGS is the set (bit = EK_ROUND_*) that a kernel is compiled with. A build for one
 * model names only what the model uses, so that nothing is chosen at run time; without it a
 * kernel knows them all.
 */
#ifndef EK_REQUANT_H
#define EK_REQUANT_H

#include "edgekit.h"
#include "ek_float32.h"

#ifndef EK_ROUNDINGS
#define EK_ROUNDINGS 0xFFU
#endif

/* Inner loops are functions of their own: merged with what calls them they lack registers. */
#if defined(__GNUC__)
#define EK_LOOP __attribute__((noinline)) static
#else
#define EK_LOOP static
#endif

/* True where rounding `r` is the one to use; a constant if only one is compiled in. */
#define EK_IS(r, name)                                                                             \
    (((EK_ROUNDINGS) & (1U << (name))) != 0U && ((EK_ROUNDINGS) == (1U << (name)) || (r) == (name)))

static inline int32_t ek_clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : (v > high ? high : v);
}

/* Room for any zero point to be added; every value beyond saturates anyway. */
static inline int32_t ek_narrow(int64_t v)
{
    const int64_t limit = (int64_t)1 << 30;
    return (int32_t)(v < -limit ? -limit : (v > limit ? limit : v));
}

/* (2 * acc * m + 2^31) / 2^32, floored: one instruction, or a long multiplication and an
 * addition. */
static inline int32_t ek_high_rounded(int32_t acc, int32_t m)
{
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
    int32_t high;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"(acc * 2), "r"(m));
    return high;
#else
    const int64_t t = (int64_t)(acc * 2) * m;
    return (int32_t)(t >> 32) + (int32_t)((uint32_t)((uint64_t)t & 0xFFFFFFFFU) >> 31);
#endif
}

/* v of SPEC section 3, for any shift e in -31..30. */
static inline int64_t ek_high_general(int32_t acc, int32_t m, int32_t e)
{
    const int32_t right = e > 0 ? 31 - e : 31;
    return ((int64_t)acc * m + ((int64_t)1 << (right - 1))) >> right;
}

static inline int32_t ek_round_double(int32_t acc, int32_t m, int32_t e)
{
    int64_t v = ek_high_general(acc, m, e);
    if (e < 0) {
        const int64_t half = (int64_t)1 << (-e - 1);
        v = (v + (v < 0 ? half - 1 : half)) >> -e;
    }
    return ek_narrow(v);
}

static inline int32_t ek_round_double_right(int32_t acc, int32_t m, int32_t n)
{
    const int32_t v = ek_high_rounded(acc, m);
    return (v + (v >> 31) + (int32_t)((1U << n) >> 1)) >> n;
}

static inline int32_t ek_round_ties_up(int32_t acc, int32_t m, int32_t e)
{
    int64_t v = ek_high_general(acc, m, e);
    if (e < 0) {
        v = (v + ((int64_t)1 << (-e - 1))) >> -e;
    }
    return ek_narrow(v);
}

static inline int32_t ek_round_ties_up_right(int32_t acc, int32_t m, int32_t n)
{
    return (ek_high_rounded(acc, m) + (int32_t)((1U << n) >> 1)) >> n;
}

static inline int32_t ek_round_single(int32_t acc, int32_t m, int32_t e)
{
    return ek_narrow(((int64_t)acc * m + ((int64_t)1 << (30 - e))) >> (31 - e));
}

static inline int32_t ek_round_single_right(int32_t acc, int32_t m, int32_t n)
{
    const int32_t v = (int32_t)(((int64_t)(acc * 2) * m) >> 32);
    return (v + (int32_t)((1U << n) >> 1)) >> n;
}

/* R(acc) of SPEC section 3, saturated far outside the int8 range. */
static inline int32_t ek_round(int32_t rounding, int32_t acc, int32_t m, int32_t shift)
{
    if (EK_IS(rounding, EK_ROUND_DOUBLE_RIGHT)) {
        return ek_round_double_right(acc, m, shift);
    }
    if (EK_IS(rounding, EK_ROUND_FLOAT32_SMALL)) {
        return ek_round_float32(acc, m, 0);
    }
    if (EK_IS(rounding, EK_ROUND_FLOAT32)) {
        return ek_round_float32(acc, m, 1);
    }
    if (EK_IS(rounding, EK_ROUND_TIES_UP_RIGHT)) {
        return ek_round_ties_up_right(acc, m, shift);
    }
    if (EK_IS(rounding, EK_ROUND_SINGLE_RIGHT)) {
        return ek_round_single_right(acc, m, shift);
    }
    if (EK_IS(rounding, EK_ROUND_TIES_UP)) {
        return ek_round_ties_up(acc, m, shift);
    }
    if (EK_IS(rounding, EK_ROUND_SINGLE)) {
        return ek_round_single(acc, m, shift);
    }
    return ek_round_double(acc, m, shift);
}

/* v scaled by m and 2^-n, |v| <= 2^30, for sums: the RIGHT forms with n = 0 allowed, where all
 * roundings are alike. */
static inline int32_t ek_scale_input(int32_t rounding, int32_t v, int32_t m, int32_t n)
{
    const int32_t high = ek_high_rounded(v, m);
    const int32_t half = (int32_t)((1U << n) >> 1);
    if (n > 0 && (EK_IS(rounding, EK_ROUND_SINGLE) || EK_IS(rounding, EK_ROUND_SINGLE_RIGHT))) {
        return ek_round_single_right(v, m, n);
    }
    if (EK_IS(rounding, EK_ROUND_TIES_UP) || EK_IS(rounding, EK_ROUND_TIES_UP_RIGHT)) {
        return (high + half) >> n;
    }
    return (high + (n > 0 ? high >> 31 : 0) + half) >> n;
}

/* The scale of one channel. */
typedef struct {
    int32_t rounding;
    int32_t multiplier;
    int32_t shift;
    int32_t zero_point;
} ek_scale;

static inline ek_scale ek_scale_of(const ek_requant *r, int32_t channel)
{
    const int32_t i = channel * r->step;
    ek_scale s;
    s.rounding = r->rounding;
    s.multiplier = r->multiplier[i];
    s.shift = r->shift != 0 ? r->shift[i] : 0;
    s.zero_point = r->zero_point;
    return s;
}

/* To int8: one instruction where the core has it. Compilers seldom find it by themselves. */
static inline int32_t ek_saturate(int32_t v)
{
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__)
    return (int32_t)__builtin_arm_ssat(v, 8);
#else
    return ek_clamp(v, -128, 127);
#endif
}

/* An output integer, clamped to int8 only: ek_limit applies a narrower [low, high]. */
static inline int8_t ek_apply(const ek_scale *s, int32_t acc)
{
    const int32_t v = ek_round(s->rounding, acc, s->multiplier, s->shift);
    return (int8_t)ek_saturate(v + s->zero_point);
}

/* Clamp `size` outputs, where [low, high] is narrower than int8; most layers skip it. */
static inline void ek_limit(int8_t *y, int32_t size, int32_t low, int32_t high)
{
    if (low > -128 || high < 127) {
        for (int32_t i = 0; i < size; i++) {
            y[i] = (int8_t)ek_clamp(y[i], low, high);
        }
    }
}

#endif
