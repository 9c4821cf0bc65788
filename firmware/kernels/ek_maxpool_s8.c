/* Maximum over the cells of each window that lie inside the input. */
#include "ek_requant.h"

/* Raise y[0..n) to x[0..n) where x is larger. */
static void raise(const int8_t *x, int32_t n, int8_t *y)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = y[i] > x[i] ? y[i] : x[i];
    }
}

static void pixel(const ek_maxpool_s8_params *p, const int8_t *x, int32_t top, int32_t left,
                  int8_t *y)
{
    const ek_window *w = &p->window;
    for (int32_t c = 0; c < w->in_c; c++) {
        y[c] = (int8_t)p->low;
    }
    for (int32_t row = top < 0 ? 0 : top; row < w->in_h && row < top + w->kernel_h; row++) {
        for (int32_t col = left < 0 ? 0 : left; col < w->in_w && col < left + w->kernel_w; col++) {
            raise(&x[(row * w->in_w + col) * w->in_c], w->in_c, y);
        }
    }
    for (int32_t c = 0; c < w->in_c; c++) {
        y[c] = (int8_t)(y[c] > p->high ? p->high : y[c]);
    }
}

void ek_maxpool_s8(const ek_maxpool_s8_params *p, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    for (int32_t out_y = 0; out_y < w->out_h; out_y++) {
        for (int32_t out_x = 0; out_x < w->out_w; out_x++) {
            pixel(p, x, out_y * w->stride_h - w->pad_top, out_x * w->stride_w - w->pad_left, y);
            y += w->in_c;
        }
    }
}
