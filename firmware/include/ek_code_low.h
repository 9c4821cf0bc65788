/* The form of ek_codes.h whose sums meet thresholds, or are stored, after a header that multiplies.
 */
#ifndef EK_CODE_LOW_H
#define EK_CODE_LOW_H

#include "ek_code_walk.h"

/* One output that is no bit. */
static inline void ek_code_put(const ek_bin_result *r, int32_t channel, int32_t sum, int8_t *y)
{
    if (r->levels > 0) {
        const int32_t *t = &r->thresholds[channel * r->levels];
        int32_t value = r->low;
        for (int32_t i = 0; i < r->levels; i++) {
            value += sum >= t[i] ? 1 : 0;
        }
        y[channel] = (int8_t)value;
    } else if (r->bytes == 2) {
        ((int16_t *)(void *)y)[channel] = (int16_t)sum;
    } else {
        ((int32_t *)(void *)y)[channel] = sum;
    }
}

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
                ek_code_put(&p->result, g->first + c, sum, out);
            }
        }
        if (p->to_bits != 0) {
            ((uint32_t *)(void *)out)[g->first / EK_CODE_CHANNELS] = word;
        }
    }
}

static inline void ek_code_low(const ek_low_codes_s8_params *p, int32_t *scratch, const int8_t *x,
                               int8_t *y)
{
    ek_code_walk(&p->codes, scratch, x, ek_code_compared, p, y, p->pixel_bytes);
}

#endif
