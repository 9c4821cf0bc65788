/* Opens the inline roundings to the tests. */
#include "ek_requant.h"

void shim_round(int32_t rounding, const int32_t *acc, const int32_t *multiplier,
                const int32_t *shift, int32_t n, int32_t *out);
void shim_add(const int32_t *a, const int32_t *b, const int32_t *scales, int32_t n, int32_t *out);

void shim_round(int32_t rounding, const int32_t *acc, const int32_t *multiplier,
                const int32_t *shift, int32_t n, int32_t *out)
{
    for (int32_t i = 0; i < n; i++) {
        out[i] = ek_round(rounding, acc[i], multiplier[i], shift[i]);
    }
}

/* scales: the bits of a_scale, b_scale and addend for each element */
void shim_add(const int32_t *a, const int32_t *b, const int32_t *scales, int32_t n, int32_t *out)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t *s = &scales[3 * i];
        out[i] = ek_add_float32(a[i], s[0], b[i], s[1], s[2]);
    }
}
