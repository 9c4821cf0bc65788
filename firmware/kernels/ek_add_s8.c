/* Sum of two tensors, each with its own scale, in fixed point. */
#include "ek_requant.h"

/* The three roundings for a shift e <= 0; |v| < 2^31, so `wide` forms are exact. */
static int32_t scale_input(int32_t rounding, int32_t v, int32_t m, int32_t e)
{
    if (rounding == EK_ROUND_SINGLE || rounding == EK_ROUND_SINGLE_RIGHT) {
        return ek_round_single(v, m, e);
    }
    if (rounding == EK_ROUND_TIES_UP || rounding == EK_ROUND_TIES_UP_RIGHT) {
        return ek_round_ties_up(v, m, e);
    }
    return ek_round_double(v, m, e);
}

void ek_add_s8(const ek_add_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    const ek_scale scale = ek_scale_of(&p->requant, 0);
    const int32_t factor = (int32_t)1 << p->left_shift;
    for (int32_t i = 0; i < p->size; i++) {
        const int32_t va = (a[i] - p->a_zero_point) * factor;
        const int32_t vb = (b[i] - p->b_zero_point) * factor;
        const int32_t sum = scale_input(scale.rounding, va, p->a_multiplier, p->a_shift) +
                            scale_input(scale.rounding, vb, p->b_multiplier, p->b_shift);
        y[i] = ek_apply(&scale, sum);
    }
    ek_limit(y, p->size, p->requant.low, p->requant.high);
}
