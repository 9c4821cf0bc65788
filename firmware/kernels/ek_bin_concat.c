/* Rows of bits one after the other. */
#include "ek_bin.h"

void ek_bin_concat(const ek_bin_concat_params *p, const int8_t *const *xs, int8_t *y)
{
    ek_bin_writer out = {(uint32_t *)(void *)y, 0, 0};
    for (int32_t row = 0; row < p->rows; row++) {
        for (int32_t k = 0; k < p->count; k++) {
            const int32_t words = (p->widths[k] + EK_BIN_LANES - 1) / EK_BIN_LANES;
            ek_bin_append_all(&out, &((const uint32_t *)(const void *)xs[k])[row * words],
                              p->widths[k]);
        }
        ek_bin_flush(&out);
    }
}
