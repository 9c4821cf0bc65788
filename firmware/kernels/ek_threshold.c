/* Values of any type to bits, or to the number of thresholds that they pass. */
#include "ek_bin.h"

static int32_t value_at(const ek_threshold_params *p, const int8_t *x, int32_t i)
{
    if (p->bytes == 1) {
        return x[i];
    }
    if (p->bytes == 2) {
        return ((const int16_t *)(const void *)x)[i];
    }
    if (p->bytes == 4) {
        return ((const int32_t *)(const void *)x)[i];
    }
    const uint32_t word = ((const uint32_t *)(const void *)x)[i / EK_BIN_LANES];
    return ((word >> (i % EK_BIN_LANES)) & 1U) != 0 ? 1 : -1;
}

static void pixel_to_bits(const ek_threshold_params *p, const int8_t *x, ek_bin_writer *out)
{
    for (int32_t l = 0; l < p->levels; l++) {
        for (int32_t c = 0; c < p->channels; c++) {
            const int32_t t = p->thresholds[c * p->step + l];
            ek_bin_append(out, value_at(p, x, c) >= t ? 1 : 0, 1);
        }
    }
    ek_bin_flush(out);
}

void ek_threshold(const ek_threshold_params *p, const int8_t *x, int8_t *y)
{
    const int32_t words = (p->channels + EK_BIN_LANES - 1) / EK_BIN_LANES;
    const int32_t pixel_bytes = p->bytes != 0 ? p->channels * p->bytes : words * 4;
    ek_bin_writer out = {(uint32_t *)(void *)y, 0, 0};
    for (int32_t i = 0; i < p->pixels; i++) {
        if (p->to_bits != 0) {
            pixel_to_bits(p, x, &out);
        } else {
            for (int32_t c = 0; c < p->channels; c++) {
                const int32_t v = value_at(p, x, c);
                const int32_t *t = &p->thresholds[c * p->step];
                *y++ = (int8_t)(p->low + ek_bin_passed(v, t, p->levels));
            }
        }
        x += pixel_bytes;
    }
}
