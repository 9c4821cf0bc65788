/* float32_rne: rint(f32(f32(acc) * scale)), nearest even at each step, and the fused add.
 *
 * With a single-precision FPU by float32 operations; elsewhere by the same steps in integers.
 * EK_FLOAT32 0 or 1 overrides the choice, for tests.
 */
#ifndef EK_FLOAT32_H
#define EK_FLOAT32_H

#include <stdint.h>

#ifndef EK_FLOAT32
#if defined(__ARM_FP)
#if (__ARM_FP & 4)
#define EK_FLOAT32 1
#else
#define EK_FLOAT32 0
#endif
#else
#define EK_FLOAT32 0
#endif
#endif

#if EK_FLOAT32

typedef union {
    float f;
    int32_t bits;
} ek_f32;

/* A product that stays a float32 of its own: fused with the addition behind it, two roundings
 * would become one. Compilers do that unless told otherwise (-ffp-contract=off), and not every
 * build tells them. */
static inline float ek_rounded(float v)
{
#if defined(__GNUC__) && defined(__arm__)
    __asm__("" : "+t"(v));
    return v;
#else
    const volatile float kept = v;
    return kept;
#endif
}

/* rint of |v| < 2^22: adding 1.5 * 2^23 leaves the integer in the low mantissa bits. */
static inline int32_t ek_rint_small(float v)
{
    ek_f32 u;
    u.f = v + 12582912.0F;
    return u.bits - 0x4B400000;
}

static inline int32_t ek_rint(float v)
{
    const float limit = 2097152.0F; /* 2^21, far outside int8 */
    return ek_rint_small(v > limit ? limit : (v < -limit ? -limit : v));
}

/* `wide`: the product may reach 2^21 and is saturated there. */
static inline int32_t ek_round_float32(int32_t acc, int32_t scale_bits, int32_t wide)
{
    ek_f32 scale;
    scale.bits = scale_bits;
    const float v = ek_rounded((float)acc * scale.f);
    return wide != 0 ? ek_rint(v) : ek_rint_small(v);
}

/* rint(fma(a, a_scale, fma(b, b_scale, addend))), scales and addend as IEEE 754 bits. */
static inline int32_t ek_add_float32(int32_t a, int32_t a_scale, int32_t b, int32_t b_scale,
                                     int32_t addend)
{
    ek_f32 ra;
    ek_f32 rb;
    ek_f32 f;
    ra.bits = a_scale;
    rb.bits = b_scale;
    f.bits = addend;
    return ek_rint(__builtin_fmaf((float)a, ra.f, __builtin_fmaf((float)b, rb.f, f.f)));
}

/* rint(f32(f32(acc * scale) + addend)) */
static inline int32_t ek_scale_add_float32(int32_t acc, int32_t scale_bits, int32_t addend)
{
    ek_f32 scale;
    scale.bits = scale_bits;
    return ek_rint(ek_rounded((float)acc * scale.f) + (float)addend);
}

#else

/* magnitude * 2^exponent, negative if sign */
typedef struct {
    uint64_t magnitude;
    int32_t exponent;
    int32_t negative;
} ek_soft;

static inline int32_t ek_bit_length(uint64_t v)
{
    int32_t n = 0;
    for (int32_t step = 32; step > 0; step /= 2) {
        if ((v >> step) != 0U) {
            v >>= step;
            n += step;
        }
    }
    return n + (int32_t)v;
}

/* v / 2^k to nearest, ties to even; k >= 1. */
static inline uint64_t ek_shift_even(uint64_t v, int32_t k)
{
    if (k > 62) {
        return 0U;
    }
    return (v + (((uint64_t)1 << (k - 1)) - 1U) + ((v >> k) & 1U)) >> k;
}

/* To float32's 24 bits of precision. */
static inline ek_soft ek_soft_round(ek_soft v)
{
    const int32_t k = ek_bit_length(v.magnitude) - 24;
    if (k > 0) {
        v.magnitude = ek_shift_even(v.magnitude, k);
        v.exponent += k;
    }
    return v;
}

static inline ek_soft ek_soft_from_bits(int32_t bits)
{
    const uint32_t u = (uint32_t)bits;
    const uint32_t exponent = (u >> 23) & 0xFFU;
    ek_soft v;
    v.magnitude = (u & 0x7FFFFFU) | (exponent != 0U ? 0x800000U : 0U);
    v.exponent = (int32_t)(exponent != 0U ? exponent : 1U) - 150;
    v.negative = (int32_t)(u >> 31);
    return v;
}

static inline ek_soft ek_soft_from_int(int32_t i)
{
    ek_soft v;
    v.magnitude = i < 0 ? (uint64_t) - (int64_t)i : (uint64_t)i;
    v.exponent = 0;
    v.negative = i < 0 ? 1 : 0;
    return v;
}

/* Exact, unless the magnitudes have more than 40 and 24 bits. */
static inline ek_soft ek_soft_multiply(ek_soft a, ek_soft b)
{
    a.magnitude *= b.magnitude;
    a.exponent += b.exponent;
    a.negative ^= b.negative;
    return a;
}

static inline int32_t ek_soft_rint(ek_soft v)
{
    const int32_t limit = 1 << 21;
    int32_t r = limit;
    if (v.magnitude == 0U) {
        r = 0;
    } else if (v.exponent < 0) {
        const uint64_t q = ek_shift_even(v.magnitude, -v.exponent);
        r = q < (uint64_t)limit ? (int32_t)q : limit;
    } else if (v.exponent < 22 && (v.magnitude << v.exponent) < (uint64_t)limit) {
        r = (int32_t)(v.magnitude << v.exponent);
    }
    return v.negative != 0 ? -r : r;
}

/* Move the top bit of a nonzero magnitude to bit 61. */
static inline ek_soft ek_soft_justify(ek_soft v)
{
    const int32_t k = 62 - ek_bit_length(v.magnitude);
    v.magnitude <<= k;
    v.exponent -= k;
    return v;
}

/* float32(a + b), a of at most 40 bits, b of at most 25: one rounding. */
static inline ek_soft ek_soft_add(ek_soft a, ek_soft b)
{
    if (a.magnitude == 0U) {
        return ek_soft_round(b);
    }
    if (b.magnitude == 0U) {
        return ek_soft_round(a);
    }
    a = ek_soft_justify(a);
    b = ek_soft_justify(b);
    if (a.exponent < b.exponent) {
        const ek_soft t = a;
        a = b;
        b = t;
    }
    const int32_t k = a.exponent - b.exponent;
    /* What is shifted out survives as a lowest bit of 1; it only matters to the rounding. */
    if (k > 61) {
        b.magnitude = 1U;
    } else if (k > 0) {
        const uint64_t lost = b.magnitude & (((uint64_t)1 << k) - 1U);
        b.magnitude = (b.magnitude >> k) | (lost != 0U ? 1U : 0U);
    }
    if (a.negative == b.negative) {
        a.magnitude += b.magnitude;
    } else if (a.magnitude >= b.magnitude) {
        a.magnitude -= b.magnitude;
    } else {
        a.magnitude = b.magnitude - a.magnitude;
        a.negative = b.negative;
    }
    return ek_soft_round(a);
}

static inline int32_t ek_round_float32(int32_t acc, int32_t scale_bits, int32_t wide)
{
    const ek_soft a = ek_soft_round(ek_soft_from_int(acc));
    (void)wide; /* saturates always */
    return ek_soft_rint(ek_soft_round(ek_soft_multiply(a, ek_soft_from_bits(scale_bits))));
}

static inline int32_t ek_add_float32(int32_t a, int32_t a_scale, int32_t b, int32_t b_scale,
                                     int32_t addend)
{
    const ek_soft pb = ek_soft_multiply(ek_soft_from_int(b), ek_soft_from_bits(b_scale));
    const ek_soft pa = ek_soft_multiply(ek_soft_from_int(a), ek_soft_from_bits(a_scale));
    return ek_soft_rint(ek_soft_add(pa, ek_soft_add(pb, ek_soft_from_bits(addend))));
}

static inline int32_t ek_scale_add_float32(int32_t acc, int32_t scale_bits, int32_t addend)
{
    const ek_soft p = ek_soft_multiply(ek_soft_from_int(acc), ek_soft_from_bits(scale_bits));
    return ek_soft_rint(ek_soft_add(ek_soft_round(p), ek_soft_from_int(addend)));
}

#endif

#endif
