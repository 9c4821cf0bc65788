/* Sum or difference of two 16-bit tensors, each with its own scale, in fixed point. */
#include "ek_requant.h"

/* Parameters are copied: a store may change anything that a pointer leads to. */
static void add(ek_add_s16_params p, const int16_t *a, const int16_t *b, int16_t *y)
{
    const ek_scale scale = ek_scale_of(&p.requant, 0);
    const int32_t factor = (int32_t)1 << p.left_shift;
    for (int32_t i = 0; i < p.size; i++) {
        const int32_t va = (a[i] - p.a_zero_point) * factor;
        const int32_t vb = (b[i] - p.b_zero_point) * factor;
        const int32_t sum =
            ek_scale_input(scale.rounding, va, p.a_multiplier, p.a_shift) +
            p.b_sign * ek_scale_input(scale.rounding, vb, p.b_multiplier, p.b_shift);
        const int32_t v = ek_round(scale.rounding, sum, scale.multiplier, scale.shift);
        y[i] = (int16_t)ek_clamp(v, p.requant.low, p.requant.high);
    }
}

void ek_add_s16(const ek_add_s16_params *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    add(*p, a, b, y);
}
