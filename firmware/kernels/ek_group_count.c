/* How many bits are set in each group. */
#include "edgekit.h"

static int32_t ones_in(uint32_t v)
{
    v -= (v >> 1) & 0x55555555U;
    v = (v & 0x33333333U) + ((v >> 2) & 0x33333333U);
    v = (v + (v >> 4)) & 0x0F0F0F0FU;
    return (int32_t)((v * 0x01010101U) >> 24);
}

/* Up to 32 bits from position `at` on; the others are 0. */
static uint32_t bits_at(const uint32_t *x, int32_t at, int32_t count)
{
    const int32_t used = at & 31;
    uint32_t v = x[at / 32] >> used;
    if (count > 32 - used) {
        v |= x[at / 32 + 1] << (32 - used);
    }
    return v & (0xFFFFFFFFU >> (32 - count));
}

void ek_group_count(const ek_group_count_params *p, const int8_t *x, int8_t *y)
{
    const uint32_t *words = (const uint32_t *)(const void *)x;
    int16_t *out = (int16_t *)(void *)y;
    int32_t at = 0;
    for (int32_t g = 0; g < p->groups; g++) {
        const int32_t end = at + p->run;
        int32_t sum = 0;
        while (at < end) {
            const int32_t count = end - at < 32 ? end - at : 32;
            sum += ones_in(bits_at(words, at, count));
            at += count;
        }
        out[g] = (int16_t)sum;
    }
}
