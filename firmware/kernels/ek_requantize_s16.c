/* Move a 16-bit tensor between scales; values below 0 may have a scale of their own. */
#include "ek_requant.h"

void ek_requantize_s16(const ek_requantize_s16_params *p, const int16_t *x, int16_t *y)
{
    const ek_scale above = ek_scale_of(&p->requant, 0);
    const ek_scale below = ek_scale_of(&p->requant, 1);
    const int32_t low = p->requant.low;
    const int32_t high = p->requant.high;
    const int32_t size = p->size;
    for (int32_t i = 0; i < size; i++) {
        const ek_scale *s = x[i] < 0 ? &below : &above;
        const int32_t v = ek_round(s->rounding, x[i], s->multiplier, s->shift);
        y[i] = (int16_t)ek_clamp(v, low, high);
    }
}
