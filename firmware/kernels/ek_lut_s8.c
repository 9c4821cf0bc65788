/* A function of one value, by its table. */
#include "edgekit.h"

void ek_lut_s8(const ek_lut_s8_params *p, const int8_t *x, int8_t *y)
{
    for (int32_t pixel = 0; pixel < p->pixels; pixel++) {
        const int8_t *zero = &p->table[128];
        for (int32_t c = 0; c < p->channels; c++) {
            y[c] = zero[x[c]];
            zero += p->step;
        }
        x += p->channels;
        y += p->channels;
    }
}
