/* The requantized form of ek_codes.h, after a header that multiplies. */
#ifndef EK_CODE_REQUANT_H
#define EK_CODE_REQUANT_H

#include "ek_code_walk.h"

#define EK_CODE_OUT(slot)                                                                          \
    out[(slot)*out_c] = ek_apply(&scale, sums[slot] * group.factor - group.less[slot] + constant)

/* Parameters are copied: a store of int8 may change anything that a pointer leads to. */
static void ek_code_scaled(const void *params, const ek_code_group *g, int8_t *y)
{
    const ek_codes_s8_params *p = (const ek_codes_s8_params *)params;
    const ek_requant requant = p->requant;
    const ek_code_group group = *g;
    const int32_t *bias = &p->bias[group.first];
    const int32_t out_c = p->codes.out_c;
    const int32_t *sums = group.sums;
    int8_t *out = &y[group.first];
    for (int32_t c = group.first; c < group.first + group.count; c++) {
        const ek_scale scale = ek_scale_of(&requant, c);
        const int32_t constant = *bias++;
        EK_CODE_OUT(0);
        if (group.n > 1) {
            EK_CODE_OUT(1);
#if EK_CODE_PIXELS == 4
            EK_CODE_OUT(2);
            EK_CODE_OUT(3);
#endif
        }
        sums += EK_CODE_PIXELS;
        out++;
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
