/* Fully connected layer with two MACs an instruction, four outputs at a time. */
#include "ek_dsp.h"

#define EK_ROWS 4

/* Sums of two pairs of rows over the four inputs in v. */
#define EK_STEP                                                                                    \
    x02 = ek_sxtab16(offset, v);                                                                   \
    x13 = ek_sxtab16_8(offset, v);                                                                 \
    u = w[0];                                                                                      \
    v = w[1];                                                                                      \
    w += 2;                                                                                        \
    ab = ek_smlad(x02, u, ab);                                                                     \
    a = ek_smlad(x02, ek_sxtb16(u), a);                                                            \
    ab = ek_smlad(x13, v, ab);                                                                     \
    a = ek_smlad(x13, ek_sxtb16(v), a);                                                            \
    u = other[0];                                                                                  \
    v = other[1];                                                                                  \
    other += 2;                                                                                    \
    cd = ek_smlad(x02, u, cd);                                                                     \
    c = ek_smlad(x02, ek_sxtb16(u), c);                                                            \
    cd = ek_smlad(x13, v, cd);                                                                     \
    c = ek_smlad(x13, ek_sxtb16(v), c)

/* The same for the next eight inputs; compilers do not find the registers. */
#if EK_DSP_ASM && defined(__OPTIMIZE__) && !defined(__clang__)
#define EK_PAIR_TEXT(from, both, low)                                                              \
    "ldrd %[u], %[v], [%[" from "]], #8\n\t"                                                       \
    "smlad %[" both "], %[x02], %[u], %[" both "]\n\t"                                             \
    "sxtb16 %[u], %[u]\n\t"                                                                        \
    "smlad %[" low "], %[x02], %[u], %[" low "]\n\t"                                               \
    "smlad %[" both "], %[x13], %[v], %[" both "]\n\t"                                             \
    "sxtb16 %[v], %[v]\n\t"                                                                        \
    "smlad %[" low "], %[x13], %[v], %[" low "]\n\t"
#define EK_STEP_TEXT                                                                               \
    "ldr %[v], [%[x]], #4\n\t"                                                                     \
    "sxtab16 %[x02], %[offset], %[v]\n\t"                                                          \
    "sxtab16 %[x13], %[offset], %[v], ror #8\n\t" EK_PAIR_TEXT("w", "ab", "a")                     \
        EK_PAIR_TEXT("other", "cd", "c")
#define EK_TWO_STEPS                                                                               \
    __asm__ volatile(                                                                              \
        EK_STEP_TEXT EK_STEP_TEXT                                                                  \
        : [x] "+r"(x), [w] "+r"(w), [other] "+r"(other), [a] "+r"(a), [ab] "+r"(ab), [c] "+r"(c),  \
          [cd] "+r"(cd), [x02] "=&r"(x02), [x13] "=&r"(x13), [u] "=&r"(u), [v] "=&r"(v)            \
        : [offset] "r"(offset)                                                                     \
        : "memory")
#else
#define EK_TWO_STEPS                                                                               \
    v = ek_load4(x);                                                                               \
    EK_STEP;                                                                                       \
    v = ek_load4(&x[4]);                                                                           \
    EK_STEP;                                                                                       \
    x += 8
#endif

/* `sums` holds where sums start, and receives them. */
EK_DSP_LOOP void four_rows(const ek_dense_dsp_params *p, const int8_t *x, const int32_t *w,
                           const int32_t *other, int32_t *sums)
{
    const int32_t offset = ek_minus(p->zero_point);
    const int8_t *end = &x[p->in_n & ~7];
    int32_t a = sums[0];
    int32_t ab = ek_dsp_both(a, sums[1]);
    int32_t c = sums[2];
    int32_t cd = ek_dsp_both(c, sums[3]);
    int32_t x02;
    int32_t x13;
    int32_t u;
    int32_t v;
    while (x != end) {
        EK_TWO_STEPS;
    }
    for (int32_t left = p->in_n & 7; left > 0; left -= 4) {
        uint32_t last = 0;
        for (int32_t i = 0; i < left && i < 4; i++) {
            last |= (uint32_t)(uint8_t)*x++ << (8 * i);
        }
        v = (int32_t)last;
        EK_STEP;
    }
    sums[0] = a;
    sums[1] = ek_dsp_other(ab, a);
    sums[2] = c;
    sums[3] = ek_dsp_other(cd, c);
}

/* Four outputs, or `count` at the end. */
static void outputs(const ek_dense_dsp_params *p, const int8_t *x, const int32_t *w,
                    ek_dsp_channel *scale, int32_t n, int32_t count, int8_t *y)
{
    const int32_t pair = (p->in_n + 3) / 4 * 2;
    int32_t sums[EK_ROWS];
    for (int32_t i = 0; i < EK_ROWS; i++) {
        sums[i] = ek_dsp_start(&p->scale, n + (i < count ? i : 0));
    }
    /* Without a second pair the first one is computed twice. */
    four_rows(p, x, w, count > 2 ? &w[pair] : w, sums);
    for (int32_t i = 0; i < count; i++) {
        if (p->scale.step != 0) {
            *scale = ek_dsp_channel_at(&p->scale, n + i);
        }
        y[n + i] = ek_dsp_apply_away(scale, sums[i]);
    }
}

void ek_dense_dsp(const ek_dense_dsp_params *p, const int8_t *x, int8_t *y)
{
    const int32_t *w = p->weights;
    ek_dsp_channel scale = ek_dsp_channel_at(&p->scale, 0);
    for (int32_t n = 0; n < p->out_n; n += EK_ROWS) {
        const int32_t left = p->out_n - n;
        outputs(p, x, w, &scale, n, left < EK_ROWS ? left : EK_ROWS, y);
        w += (p->in_n + 3) / 4 * 4;
    }
    ek_dsp_limit(y, p->out_n, p->scale.low, p->scale.high);
}
