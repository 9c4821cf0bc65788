/* Sum or difference of two tensors, each with its own scale, in fixed point. */
#include "ek_requant.h"

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
static void add(ek_add_s8_params p, const int8_t *a, const int8_t *b, int8_t *y)
{
    const ek_scale scale = ek_scale_of(&p.requant, 0);
    const int32_t factor = (int32_t)1 << p.left_shift;
    for (int32_t i = 0; i < p.size; i++) {
        const int32_t va = (a[i] - p.a_zero_point) * factor;
        const int32_t vb = (b[i] - p.b_zero_point) * factor;
        const int32_t sum =
            ek_scale_input(scale.rounding, va, p.a_multiplier, p.a_shift) +
            p.b_sign * ek_scale_input(scale.rounding, vb, p.b_multiplier, p.b_shift);
        y[i] = ek_apply(&scale, sum);
    }
}

void ek_add_s8(const ek_add_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    add(*p, a, b, y);
    ek_limit(y, p->size, p->requant.low, p->requant.high);
}
