/* The form of ek_codes.h whose sums meet thresholds, or are stored. */
#ifndef EK_CODE_LOW_H
#define EK_CODE_LOW_H

#include "ek_bin.h"

static void ek_code_compared(const void *params, const ek_code_group *g, int8_t *y)
{
    const ek_low_codes_s8_params *p = (const ek_low_codes_s8_params *)params;
    const int32_t *starts = &p->starts[g->first];
    for (int32_t slot = 0; slot < g->n; slot++) {
        int8_t *out = &y[slot * p->pixel_bytes];
        uint32_t word = 0;
        for (int32_t c = 0; c < g->count; c++) {
            const int32_t sum = ek_code_sum(g, c, slot) + starts[c];
            if (p->to_bits != 0) {
                word |= (uint32_t)(sum >= 0) << c;
            } else {
                ek_bin_put(&p->result, g->first + c, sum, out);
            }
        }
        if (p->to_bits != 0) {
            ((uint32_t *)(void *)out)[g->first / EK_CODE_CHANNELS] = word;
        }
    }
}

#endif
