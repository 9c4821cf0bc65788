/* Softmax in fixed point, with the exponentials of one layer in a table (docs/SPEC.md 4.9). */
#include "ek_requant.h"

/* (a * b + 2^30) / 2^31, floored */
static int32_t multiply_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* a / 2^n, halves away from zero; n >= 1 */
static int32_t divide_power(int32_t a, int32_t n)
{
    const int64_t half = (int64_t)1 << (n - 1);
    return (int32_t)((a + (a < 0 ? half - 1 : half)) >> n);
}

static int32_t leading_zeros(uint32_t v)
{
    int32_t n = 0;
    while (v < 0x80000000U) {
        v <<= 1;
        n++;
    }
    return n;
}

/* 1 / sum in Q0.31, for the mantissa `sum * 2^zeros` in [1, 2): three Newton steps. */
static int32_t reciprocal(uint32_t sum, int32_t zeros)
{
    const int64_t f = (int64_t)(uint32_t)(sum << zeros) - 0x80000000LL;
    const int32_t d = (int32_t)((f + 0x7FFFFFFFLL + 1) / 2);
    int32_t y = 1515870810 + multiply_high(d, -1010580540); /* 48/17 - 32/17 d in Q2.29 */
    for (int32_t i = 0; i < 3; i++) {
        y += 4 * multiply_high(y, (1 << 29) - multiply_high(d, y));
    }
    return y >= (1 << 30) ? 0x7FFFFFFF : 2 * y;
}

static void row(const ek_softmax_s8_params *p, const int8_t *x, int8_t *y)
{
    int32_t max = -128;
    int32_t sum = 0; /* Q12.19 */
    for (int32_t i = 0; i < p->depth; i++) {
        max = x[i] > max ? x[i] : max;
    }
    for (int32_t i = 0; i < p->depth; i++) {
        const int32_t t = p->table[max - x[i]];
        sum += t >= 0 ? divide_power(t, 12) : 0;
    }
    const int32_t zeros = leading_zeros((uint32_t)sum);
    const int32_t scale = reciprocal((uint32_t)sum, zeros);
    for (int32_t i = 0; i < p->depth; i++) {
        const int32_t t = p->table[max - x[i]];
        const int32_t v = t >= 0 ? divide_power(multiply_high(scale, t), 35 - zeros) - 128 : -128;
        y[i] = (int8_t)ek_clamp(v, -128, 127);
    }
}

void ek_softmax_s8(const ek_softmax_s8_params *p, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < p->rows; i++) {
        row(p, &x[i * p->depth], &y[i * p->depth]);
    }
}
