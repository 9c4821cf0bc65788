/* The bits under a window. */
#ifndef EK_BIN_WINDOW_H
#define EK_BIN_WINDOW_H

#include "ek_bin.h"

/* Writes the bits under the window at (top, left), one after the other; padded cells hold
 * `padding`, a word of equal bits. */
static inline void ek_bin_gather(const ek_window *w, uint32_t padding, int32_t top, int32_t left,
                                 const uint32_t *x, uint32_t *bits)
{
    const int32_t words = (w->in_c + EK_BIN_LANES - 1) / EK_BIN_LANES;
    ek_bin_writer out = {bits, 0, 0};
    for (int32_t i = 0; i < w->kernel_h; i++) {
        const int32_t row = top + i * w->dilation_h;
        for (int32_t j = 0; j < w->kernel_w; j++) {
            const int32_t column = left + j * w->dilation_w;
            if (row >= 0 && row < w->in_h && column >= 0 && column < w->in_w) {
                ek_bin_append_all(&out, &x[(row * w->in_w + column) * words], w->in_c);
            } else {
                ek_bin_fill(&out, padding, w->in_c);
            }
        }
    }
    ek_bin_flush(&out);
}

#endif
