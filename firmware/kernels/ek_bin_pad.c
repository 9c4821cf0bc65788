/* Cells of one value around an image of bits. */
#include "ek_bin.h"

void ek_bin_pad(const ek_bin_pad_params *p, const int8_t *x, int8_t *y)
{
    const int32_t words = (p->in_c + EK_BIN_LANES - 1) / EK_BIN_LANES;
    const uint32_t value = (uint32_t)p->value;
    const uint32_t *from = (const uint32_t *)(const void *)x;
    ek_bin_writer out = {(uint32_t *)(void *)y, 0, 0};
    for (int32_t i = -p->before_h; i < p->in_h + p->after_h; i++) {
        for (int32_t j = -p->before_w; j < p->in_w + p->after_w; j++) {
            ek_bin_fill(&out, value, p->before_c);
            if (i >= 0 && i < p->in_h && j >= 0 && j < p->in_w) {
                ek_bin_append_all(&out, from, p->in_c);
                from += words;
            } else {
                ek_bin_fill(&out, value, p->in_c);
            }
            ek_bin_fill(&out, value, p->after_c);
            ek_bin_flush(&out);
        }
    }
}
