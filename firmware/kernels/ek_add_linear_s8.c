/* Sum of two tensors where one multiply-add and one shift give what the model's own form gives. */
#include "ek_requant.h"

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
static void add(ek_add_linear_s8_params p, const int8_t *a, const int8_t *b, int8_t *y)
{
    for (int32_t i = 0; i < p.size; i++) {
        const int32_t sum = a[i] * p.a_factor + (b[i] * p.b_factor + p.offset);
        y[i] = (int8_t)ek_clamp(sum >> p.shift, -128, 127);
    }
}

void ek_add_linear_s8(const ek_add_linear_s8_params *p, const int8_t *a, const int8_t *b, int8_t *y)
{
    add(*p, a, b, y);
    ek_limit(y, p->size, p->low, p->high);
}
