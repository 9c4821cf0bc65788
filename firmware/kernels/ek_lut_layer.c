/* Layer of look-up tables over bits. */
#include "ek_requant.h"

/* One byte for each bit of `words` words. */
EK_LOOP void spread(const uint32_t *x, int32_t words, uint8_t *out)
{
    for (int32_t i = 0; i < words; i++) {
        uint32_t v = x[i];
        for (int32_t bit = 0; bit < 32; bit += 4) {
            out[0] = v & 1U;
            out[1] = (v >> 1) & 1U;
            out[2] = (v >> 2) & 1U;
            out[3] = (v >> 3) & 1U;
            v >>= 4;
            out += 4;
        }
    }
}

/* The place in its table of output m: the last connection is the highest bit. */
static inline uint32_t place_of(const ek_lut_layer_params *p, const uint8_t *x, int32_t m)
{
    uint32_t place = 0;
    if (p->is_short != 0) {
        const int16_t *from = &((const int16_t *)p->connections)[m * p->inputs];
        for (int32_t j = p->inputs - 1; j >= 0; j--) {
            place = 2U * place + x[from[j]];
        }
    } else {
        const uint8_t *from = &((const uint8_t *)p->connections)[m * p->inputs];
        for (int32_t j = p->inputs - 1; j >= 0; j--) {
            place = 2U * place + x[from[j]];
        }
    }
    return place;
}

void ek_lut_layer(const ek_lut_layer_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const int32_t table_bytes = ((1 << p->inputs) + 7) / 8;
    const uint8_t *table = (const uint8_t *)p->tables;
    uint8_t *bits = (uint8_t *)scratch;
    uint32_t *out = (uint32_t *)(void *)y;
    uint32_t word = 0;
    spread((const uint32_t *)(const void *)x, p->in_n / 32, bits);
    for (int32_t m = 0; m < p->out_n; m++) {
        const uint32_t place = place_of(p, bits, m);
        word |= ((uint32_t)(table[place / 8] >> (place & 7)) & 1U) << (m & 31);
        table += table_bytes;
        if ((m & 31) == 31 || m + 1 == p->out_n) {
            *out++ = word;
            word = 0;
        }
    }
}
