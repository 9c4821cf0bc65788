/* Move a tensor between scales. */
#include "ek_requant.h"

void ek_requantize_s8(const ek_requantize_s8_params *p, const int8_t *x, int8_t *y)
{
    int32_t i = 0;
    for (int32_t pixel = 0; pixel < p->pixels; pixel++) {
        for (int32_t c = 0; c < p->channels; c++) {
            const ek_scale scale = ek_scale_of(&p->requant, c);
            y[i] = ek_apply(&scale, x[i] - p->input_zero_point);
            i++;
        }
    }
    ek_limit(y, i, p->requant.low, p->requant.high);
}
