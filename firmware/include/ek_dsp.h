/* The DSP instructions of Armv7E-M and Armv8-M, one inline function each; in plain C elsewhere, so
 * that what uses them runs and is tested on any host, bit for bit.
 *
 * A pair is two int16 in one word, the first in the lower half.
 */
#ifndef EK_DSP_H
#define EK_DSP_H

#include "edgekit.h"

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#define EK_DSP_ASM 1
#else
#define EK_DSP_ASM 0
#endif

/* Inner loops are functions of their own: merged with what calls them they lack registers. */
#if defined(__GNUC__)
#define EK_DSP_LOOP __attribute__((noinline)) static
#else
#define EK_DSP_LOOP static
#endif

/* Bits of fraction under an output integer, until the last step. */
#define EK_DSP_FRACTION 14

/* Four int8 at any address, the first in the lowest byte. */
static inline int32_t ek_load4(const int8_t *x)
{
#if EK_DSP_ASM
    int32_t v;
    __builtin_memcpy(&v, x, sizeof(v));
    return v;
#else
    uint32_t v = 0;
    for (int32_t i = 3; i >= 0; i--) {
        v = v << 8 | (uint32_t)(uint8_t)x[i];
    }
    return (int32_t)v;
#endif
}

#if EK_DSP_ASM

#define EK_DSP_3(name, instruction)                                                                \
    static inline int32_t name(int32_t a, int32_t b, int32_t sum)                                  \
    {                                                                                              \
        int32_t out;                                                                               \
        __asm__(instruction " %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));             \
        return out;                                                                                \
    }

EK_DSP_3(ek_smlad, "smlad")
EK_DSP_3(ek_smlabt, "smlabt")
EK_DSP_3(ek_smlatb, "smlatb")
EK_DSP_3(ek_smmla, "smmla")

#define EK_DSP_2(name, instruction, rotation)                                                      \
    static inline int32_t name(int32_t a, int32_t b)                                               \
    {                                                                                              \
        int32_t out;                                                                               \
        __asm__(instruction " %0, %1, %2" rotation : "=r"(out) : "r"(a), "r"(b));                  \
        return out;                                                                                \
    }

EK_DSP_2(ek_sxtab16, "sxtab16", "")
EK_DSP_2(ek_sxtab16_8, "sxtab16", ", ror #8")
EK_DSP_2(ek_pkhbt, "pkhbt", ", lsl #16")
EK_DSP_2(ek_pkhtb_swapped, "pkhtb", ", asr #16")

#define EK_DSP_1(name, instruction, rotation)                                                      \
    static inline int32_t name(int32_t a)                                                          \
    {                                                                                              \
        int32_t out;                                                                               \
        __asm__(instruction " %1" rotation : "=r"(out) : "r"(a));                                  \
        return out;                                                                                \
    }

EK_DSP_1(ek_sxtb16, "sxtb16 %0,", "")
EK_DSP_1(ek_sxtb16_8, "sxtb16 %0,", ", ror #8")
EK_DSP_1(ek_ssat8_fraction, "ssat %0, #8,", ", asr #14")

#else

static inline int32_t ek_low(int32_t a)
{
    return (int16_t)(uint16_t)((uint32_t)a & 0xFFFFU);
}

static inline int32_t ek_high(int32_t a)
{
    return a >> 16;
}

static inline int32_t ek_halves(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)high << 16) | ((uint32_t)low & 0xFFFFU));
}

static inline int32_t ek_byte(int32_t a, int32_t i)
{
    return (int8_t)(uint8_t)(((uint32_t)a >> (8 * i)) & 0xFFU);
}

/* a.low * b.low + a.high * b.high + sum, modulo 2^32 */
static inline int32_t ek_smlad(int32_t a, int32_t b, int32_t sum)
{
    const uint32_t low = (uint32_t)(ek_low(a) * ek_low(b));
    const uint32_t high = (uint32_t)(ek_high(a) * ek_high(b));
    return (int32_t)(low + high + (uint32_t)sum);
}

static inline int32_t ek_smlabt(int32_t a, int32_t b, int32_t sum)
{
    return ek_low(a) * ek_high(b) + sum;
}

static inline int32_t ek_smlatb(int32_t a, int32_t b, int32_t sum)
{
    return ek_high(a) * ek_low(b) + sum;
}

/* sum + floor(a * b / 2^32) */
static inline int32_t ek_smmla(int32_t a, int32_t b, int32_t sum)
{
    return sum + (int32_t)(((int64_t)a * b) >> 32);
}

/* The pair (byte 0, byte 2) of b, plus the pair a. */
static inline int32_t ek_sxtab16(int32_t a, int32_t b)
{
    return ek_halves(ek_low(a) + ek_byte(b, 0), ek_high(a) + ek_byte(b, 2));
}

/* The pair (byte 1, byte 3) of b, plus the pair a. */
static inline int32_t ek_sxtab16_8(int32_t a, int32_t b)
{
    return ek_halves(ek_low(a) + ek_byte(b, 1), ek_high(a) + ek_byte(b, 3));
}

static inline int32_t ek_sxtb16(int32_t a)
{
    return ek_halves(ek_byte(a, 0), ek_byte(a, 2));
}

static inline int32_t ek_sxtb16_8(int32_t a)
{
    return ek_halves(ek_byte(a, 1), ek_byte(a, 3));
}

/* (a.low, b.low) */
static inline int32_t ek_pkhbt(int32_t a, int32_t b)
{
    return ek_halves(a, b);
}

/* (b.high, a.high) */
static inline int32_t ek_pkhtb_swapped(int32_t a, int32_t b)
{
    return ek_halves(ek_high(b), ek_high(a));
}

static inline int32_t ek_ssat8_fraction(int32_t a)
{
    const int32_t v = a >> EK_DSP_FRACTION;
    return v < -128 ? -128 : (v > 127 ? 127 : v);
}

#endif

/* (a.high, b.high) */
static inline int32_t ek_pkhtb(int32_t a, int32_t b)
{
    return ek_pkhtb_swapped(b, a);
}

/* -v in both halves. */
static inline int32_t ek_minus(int32_t v)
{
    const uint32_t half = (uint32_t)-v & 0xFFFFU;
    return (int32_t)(half << 16 | half);
}

/* Zero bits above the highest one of v, v > 0. */
static inline int32_t ek_zeros_above(int32_t v)
{
#if EK_DSP_ASM
    return __builtin_clz((unsigned)v);
#else
    int32_t n = 0;
    for (uint32_t u = (uint32_t)v; u < 0x80000000U && n < 31; u <<= 1) {
        n++;
    }
    return n;
#endif
}

/* How one channel's sums become outputs. */
typedef struct {
    int32_t multiplier;
    int32_t shift;
    int32_t addend;
    int32_t below; /* taken away where sums are negative */
} ek_dsp_channel;

static inline int32_t ek_dsp_start(const ek_dsp_scale *s, int32_t channel)
{
    return s->is_short != 0 ? ((const int16_t *)s->starts)[channel]
                            : ((const int32_t *)s->starts)[channel];
}

static inline ek_dsp_channel ek_dsp_channel_at(const ek_dsp_scale *s, int32_t channel)
{
    ek_dsp_channel c;
    c.multiplier = s->multipliers[channel * s->step];
    const int32_t half = s->half >> ek_zeros_above(c.multiplier);
    c.shift = s->shift;
    c.addend = s->addend + half;
    c.below = s->away != 0 ? 2 * half : 0;
    return c;
}

/* Where below is 0. */
static inline int8_t ek_dsp_apply(const ek_dsp_channel *c, int32_t sum)
{
    const int32_t v = ek_smmla((int32_t)((uint32_t)sum << c->shift), c->multiplier, c->addend);
    return (int8_t)ek_ssat8_fraction(v);
}

static inline int8_t ek_dsp_apply_away(const ek_dsp_channel *c, int32_t sum)
{
    const int32_t v = ek_smmla((int32_t)((uint32_t)sum << c->shift), c->multiplier, c->addend);
    return (int8_t)ek_ssat8_fraction(v - ((sum >> 31) & c->below));
}

/* One output, in either form. */
static inline int8_t ek_dsp_finish(const ek_dsp_scale *s, int32_t channel, int32_t sum)
{
    const ek_dsp_channel c = ek_dsp_channel_at(s, channel);
    return ek_dsp_apply_away(&c, sum);
}

/* Two channels a and b in one multiplication: with halves a + 256 * b as weights, a register holds
 * sum(x * a) + 256 * sum(x * b), less any multiple of 2^32, and the halves' low bytes alone give
 * sum(x * a) in another. Whoever packs the weights proves that b's sums keep to 24 bits. */
static inline int32_t ek_dsp_both(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + ((uint32_t)b << 8));
}

static inline int32_t ek_dsp_other(int32_t both, int32_t a)
{
    return (int32_t)((uint32_t)both - (uint32_t)a) >> 8;
}

/* Clamp `size` outputs, where [low, high] is narrower than int8; most layers skip it. */
static inline void ek_dsp_limit(int8_t *y, int32_t size, int32_t low, int32_t high)
{
    if (low > -128 || high < 127) {
        for (int32_t i = 0; i < size; i++) {
            y[i] = (int8_t)(y[i] < low ? low : (y[i] > high ? high : y[i]));
        }
    }
}

#endif
