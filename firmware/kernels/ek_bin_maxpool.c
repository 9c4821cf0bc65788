/* Maximum of bits over the cells of each window that lie inside the input: OR of words. */
#include "ek_bin.h"

static void pixel(const ek_window *w, int32_t words, const uint32_t *x, int32_t top, int32_t left,
                  uint32_t *y)
{
    for (int32_t i = 0; i < words; i++) {
        y[i] = 0;
    }
    for (int32_t row = top < 0 ? 0 : top; row < w->in_h && row < top + w->kernel_h; row++) {
        for (int32_t col = left < 0 ? 0 : left; col < w->in_w && col < left + w->kernel_w; col++) {
            const uint32_t *cell = &x[(row * w->in_w + col) * words];
            for (int32_t i = 0; i < words; i++) {
                y[i] |= cell[i];
            }
        }
    }
}

void ek_bin_maxpool(const ek_bin_maxpool_params *p, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t words = (w->in_c + EK_BIN_LANES - 1) / EK_BIN_LANES;
    uint32_t *out = (uint32_t *)(void *)y;
    for (int32_t out_y = 0; out_y < w->out_h; out_y++) {
        for (int32_t out_x = 0; out_x < w->out_w; out_x++) {
            pixel(w, words, (const uint32_t *)(const void *)x, out_y * w->stride_h - w->pad_top,
                  out_x * w->stride_w - w->pad_left, out);
            out += words;
        }
    }
}
