/* The requantized form of ek_codes.h, after a header that multiplies. */
#ifndef EK_CODE_REQUANT_H
#define EK_CODE_REQUANT_H

#include "ek_code_walk.h"

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
static void ek_code_scaled(const void *params, const ek_code_group *g, int8_t *y)
{
    const ek_codes_s8_params *p = (const ek_codes_s8_params *)params;
    const ek_requant requant = p->requant;
    const ek_code_group group = *g;
    const int32_t *bias = &p->bias[group.first];
    const int32_t out_c = p->codes.out_c;
    int8_t *out = &y[group.first];
    for (int32_t c = 0; c < group.count; c++) {
        const ek_scale scale = ek_scale_of(&requant, group.first + c);
        for (int32_t slot = 0; slot < group.n; slot++) {
            out[slot * out_c + c] = ek_apply(&scale, ek_code_sum(&group, c, slot) + bias[c]);
        }
    }
}

static inline void ek_code_requant(const ek_codes_s8_params *p, int32_t *scratch, const int8_t *x,
                                   int8_t *y)
{
    const ek_codes *c = &p->codes;
    ek_code_walk(c, scratch, x, ek_code_scaled, p, y, c->out_c);
    ek_limit(y, c->window.out_h * c->window.out_w * c->out_c, p->requant.low, p->requant.high);
}

#endif
