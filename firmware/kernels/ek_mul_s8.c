/* Product of two tensors; the second may be repeated, as a factor per channel is. */
#include "ek_requant.h"

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
static void mul(ek_mul_s8_params p, const int8_t *a, const int8_t *b, int8_t *y)
{
    const ek_scale scale = ek_scale_of(&p.requant, 0);
    for (int32_t row = 0; row < p.outer; row++) {
        for (int32_t i = 0; i < p.inner; i++) {
            y[i] = ek_apply(&scale, (a[i] - p.a_zero_point) * (b[i] - p.b_zero_point));
        }
        a += p.inner;
        y += p.inner;
    }
}

void ek_mul_s8(const ek_mul_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    mul(*p, a, b, y);
    ek_limit(y, p->outer * p->inner, p->requant.low, p->requant.high);
}
