/* Maximum over the cells of each window that lie inside the input: values of 16 or 32 bits. */
#include "edgekit.h"

static int32_t at_16(const void *x, int32_t i)
{
    return ((const int16_t *)x)[i];
}

static int32_t at_32(const void *x, int32_t i)
{
    return ((const int32_t *)x)[i];
}

/* The clamped maximum of one channel in the window that starts at row `top`, column `left`. */
static int32_t channel_max(const ek_maxpool_wide_params *p, const void *x, int32_t top,
                           int32_t left, int32_t channel)
{
    const ek_window *w = &p->window;
    int32_t (*at)(const void *, int32_t) = p->is_long != 0 ? at_32 : at_16;
    int32_t most = p->low;
    for (int32_t row = top < 0 ? 0 : top; row < w->in_h && row < top + w->kernel_h; row++) {
        for (int32_t col = left < 0 ? 0 : left; col < w->in_w && col < left + w->kernel_w; col++) {
            const int32_t v = at(x, (row * w->in_w + col) * w->in_c + channel);
            most = v > most ? v : most;
        }
    }
    return most > p->high ? p->high : most;
}

void ek_maxpool_wide(const ek_maxpool_wide_params *p, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t outputs = w->out_h * w->out_w * w->in_c;
    for (int32_t i = 0; i < outputs; i++) {
        const int32_t pixel = i / w->in_c;
        const int32_t top = pixel / w->out_w * w->stride_h - w->pad_top;
        const int32_t left = pixel % w->out_w * w->stride_w - w->pad_left;
        const int32_t v = channel_max(p, x, top, left, i % w->in_c);
        if (p->is_long != 0) {
            ((int32_t *)(void *)y)[i] = v;
        } else {
            ((int16_t *)(void *)y)[i] = (int16_t)v;
        }
    }
}
