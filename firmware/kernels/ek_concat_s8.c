/* Tensors one after the other along an axis. */
#include "edgekit.h"

void ek_concat_s8(const ek_concat_s8_params *p, const int8_t *const *xs, int8_t *y)
{
    for (int32_t row = 0; row < p->rows; row++) {
        for (int32_t k = 0; k < p->count; k++) {
            const int32_t width = p->widths[k];
            const int8_t *x = &xs[k][row * width];
            for (int32_t i = 0; i < width; i++) {
                y[i] = x[i];
            }
            y += width;
        }
    }
}
