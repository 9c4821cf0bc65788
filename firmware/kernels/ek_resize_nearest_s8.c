/* An image of another size, each pixel a copy of one pixel of the input. */
#include "edgekit.h"

void ek_resize_nearest_s8(const ek_resize_nearest_s8_params *p, const int8_t *x, int8_t *y)
{
    const int16_t *columns = &p->places[p->out_h];
    for (int32_t i = 0; i < p->out_h; i++) {
        const int8_t *row = &x[p->places[i] * p->in_w * p->channels];
        for (int32_t j = 0; j < p->out_w; j++) {
            const int8_t *pixel = &row[columns[j] * p->channels];
            for (int32_t c = 0; c < p->channels; c++) {
                y[c] = pixel[c];
            }
            y += p->channels;
        }
    }
}
