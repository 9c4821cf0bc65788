/* What the kernels for RV32IMC share: in plain C, so that it runs and is tested on any host. */
#ifndef EK_RV32_H
#define EK_RV32_H

#include "ek_dsp.h"

/* EK_IN_ORDER keeps a compiler from starting on the next step early, for which there are no
 * registers; EK_HELD from loading a constant again each time it is compared with. */
#if defined(__GNUC__)
#define EK_IN_ORDER __asm__ volatile("" ::: "memory")
#define EK_HELD(v) __asm__("" : "+r"(v))
#else
#define EK_IN_ORDER (void)0
#define EK_HELD(v) (void)0
#endif

/* An output before it is clamped: a shift, a high product, an addition, a shift. */
static inline int32_t ek_rv32_scaled(const ek_dsp_channel *c, int32_t sum)
{
    const int32_t product = (int32_t)((uint32_t)sum << c->shift);
    return ek_smmla(product, c->multiplier, c->addend) >> EK_DSP_FRACTION;
}

/* Likewise with what is taken away from negative sums. */
static inline int32_t ek_rv32_scaled_away(const ek_dsp_channel *c, int32_t sum)
{
    const int32_t product = (int32_t)((uint32_t)sum << c->shift);
    const int32_t v = ek_smmla(product, c->multiplier, c->addend);
    return (v - ((sum >> 31) & c->below)) >> EK_DSP_FRACTION;
}

static inline int8_t ek_rv32_clamp(int32_t v, int32_t low, int32_t high)
{
    v = v < low ? low : v;
    return (int8_t)(v > high ? high : v);
}

#endif
