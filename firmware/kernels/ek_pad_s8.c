/* Cells of one value around an image, on any of its three axes. */
#include "edgekit.h"

static int8_t *fill(int8_t *y, int32_t n, int32_t value)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (int8_t)value;
    }
    return &y[n];
}

void ek_pad_s8(const ek_pad_s8_params *p, const int8_t *x, int8_t *y)
{
    const int32_t out_c = p->before_c + p->in_c + p->after_c;
    const int32_t line = (p->before_w + p->in_w + p->after_w) * out_c;
    y = fill(y, p->before_h * line, p->value);
    for (int32_t row = 0; row < p->in_h; row++) {
        y = fill(y, p->before_w * out_c, p->value);
        for (int32_t column = 0; column < p->in_w; column++) {
            y = fill(y, p->before_c, p->value);
            for (int32_t c = 0; c < p->in_c; c++) {
                y[c] = x[c];
            }
            x += p->in_c;
            y = fill(&y[p->in_c], p->after_c, p->value);
        }
        y = fill(y, p->after_w * out_c, p->value);
    }
    (void)fill(y, p->after_h * line, p->value);
}
