/* Sums of codes by DSP instructions: two depths in each, of two channels and four pixels at a time.
 *
 * Halves a + (b << bits) give sum(v * a) + (sum(v * b) << bits), less any multiple of 2^32; their
 * lower bits alone give sum(v * a). Whoever packs the weights proves that sums keep to 27 bits.
 */
#ifndef EK_CODE_DSP_H
#define EK_CODE_DSP_H

#define EK_CODE_PIXELS 4

#include "ek_code_rows.h"
#include "ek_dsp.h"

#define EK_CODE_ONES 0x00010001

/* Windows are kept `stride` words apart: as many as are multiplied at once. */
static inline int32_t ek_code_stride(const ek_codes *p)
{
    return p->window.out_h * p->window.out_w < EK_CODE_PIXELS ? 1 : EK_CODE_PIXELS;
}

/* Up to four values; missing ones are equal to the base. */
static inline int32_t ek_code_last(const int8_t *x, int32_t n, int32_t base)
{
    uint32_t v = (uint32_t)(base & 0xFF) * 0x01010101U;
    for (int32_t i = 0; i < n; i++) {
        v = (v & ~(0xFFU << (8 * i))) | (uint32_t)(uint8_t)x[i] << (8 * i);
    }
    return (int32_t)v;
}

/* Write n values as pairs, of every four 0 and 2, then 1 and 3; adds them to `sum`. */
EK_DSP_LOOP int32_t *ek_code_expand(int32_t *out, int32_t stride, const int8_t *x, int32_t n,
                                    int32_t base, int32_t *sum)
{
    const uint32_t less = (uint32_t)(base + 128) * 0x01010101U;
    int32_t total = *sum;
    for (; n > 0; n -= 4) {
        const uint32_t q = (uint32_t)(n >= 4 ? ek_load4(x) : ek_code_last(x, n, base));
        const uint32_t v = (q ^ 0x80808080U) - less;
        const int32_t even = (int32_t)(v & 0x00FF00FFU);
        const int32_t odd = (int32_t)((v >> 8) & 0x00FF00FFU);
        total = ek_smlad(even, EK_CODE_ONES, ek_smlad(odd, EK_CODE_ONES, total));
        out[0] = even;
        out[stride] = odd;
        out += 2 * stride;
        x += 4;
    }
    *sum = total;
    return out;
}

/* Gather the windows of `n` pixels into scratch; `values` receives their sums. */
static void ek_code_windows(const ek_codes *p, int32_t *scratch, const int8_t *x, int32_t pixel,
                            int32_t n, int32_t *values)
{
    const ek_window *w = &p->window;
    const int32_t stride = ek_code_stride(p);
    const int32_t run = ek_code_run(p);
    const int32_t *end = &scratch[8 / p->bits * stride * p->words];
    int8_t *room = (int8_t *)&scratch[8 / p->bits * stride * p->words];
    for (int32_t slot = 0; slot < n; slot++) {
        const ek_code_place at = ek_code_place_of(p, pixel + slot);
        int32_t *out = &scratch[slot];
        values[slot] = 0;
        for (int32_t ky = 0; ky < w->kernel_h; ky++) {
            const int8_t *from = ek_code_row(p, x, at.row + ky * w->dilation_h, at.column, room);
            out = ek_code_expand(out, stride, from, run, p->base, &values[slot]);
        }
        while (out < end) {
            *out = 0;
            out += stride;
        }
    }
}

/* The next two depths of two channels, `i` places into the halves of a word. */
#define EK_CODE_BOTH(word, i, bits)                                                                \
    ((int32_t)(((uint32_t)(word) >> (2 * (i) * (bits))) & (((1U << 2 * (bits)) - 1U) * 0x10001U)))
#define EK_CODE_A(both, bits) ((both) & (int32_t)(((1U << (bits)) - 1U) * 0x10001U))

/* Two depths of two channels in one pixel. */
#define EK_CODE_PAIR(i, bits)                                                                      \
    both = EK_CODE_BOTH(word, i, bits);                                                            \
    ab = ek_smlad(*v, both, ab);                                                                   \
    a = ek_smlad(*v, EK_CODE_A(both, bits), a);                                                    \
    v += stride;
#define EK_CODE_PAIRS_4(bits) EK_CODE_PAIR(0, bits) EK_CODE_PAIR(1, bits)
#define EK_CODE_PAIRS_2(bits) EK_CODE_PAIRS_4(bits) EK_CODE_PAIR(2, bits) EK_CODE_PAIR(3, bits)
#define EK_CODE_PAIRS_1(bits)                                                                      \
    EK_CODE_PAIRS_2(bits)                                                                          \
    EK_CODE_PAIR(4, bits) EK_CODE_PAIR(5, bits) EK_CODE_PAIR(6, bits) EK_CODE_PAIR(7, bits)

/* Two channels in one pixel. */
#define EK_CODE_ONE(name, bits)                                                                    \
    EK_DSP_LOOP void name(const int32_t *v, int32_t stride, const int32_t *w, int32_t words,       \
                          int32_t *sums)                                                           \
    {                                                                                              \
        int32_t a = 0;                                                                             \
        int32_t ab = 0;                                                                            \
        for (const int32_t *end = &w[words]; w != end; w++) {                                      \
            const int32_t word = *w;                                                               \
            int32_t both;                                                                          \
            EK_CODE_PAIRS_##bits(bits)                                                             \
        }                                                                                          \
        sums[0] = a;                                                                               \
        sums[EK_CODE_PIXELS] = (int32_t)((uint32_t)ab - (uint32_t)a) >> (bits);                    \
    }

EK_CODE_ONE(ek_code_one_w1, 1)
EK_CODE_ONE(ek_code_one_w2, 2)
EK_CODE_ONE(ek_code_one_w4, 4)

static void ek_code_one(const int32_t *v, int32_t stride, const int32_t *w, int32_t words,
                        int32_t bits, int32_t *sums)
{
    (bits == 1   ? ek_code_one_w1
     : bits == 2 ? ek_code_one_w2
                 : ek_code_one_w4)(v, stride, w, words, sums);
}

typedef struct {
    const int32_t *v;   /* 0: the windows */
    const int32_t *end; /* 4 */
    const int32_t *weights;
    int32_t *sums;
    int32_t pairs; /* of channels */
} ek_code_job;

#if EK_DSP_ASM
#define EK_CODE_UNUSED __attribute__((unused))

/* Pixels 0 and 1, then 2 and 3, of two depths: r12 has both channels, lr the first. */
#define EK_CODE_EIGHT                                                                              \
    "ldrd r10, r11, [r9], #8\n"                                                                    \
    "smlad r4, r10, r12, r4\n"                                                                     \
    "smlad r5, r11, r12, r5\n"                                                                     \
    "smlad r0, r10, lr, r0\n"                                                                      \
    "smlad r1, r11, lr, r1\n"                                                                      \
    "ldrd r10, r11, [r9], #8\n"                                                                    \
    "smlad r6, r10, r12, r6\n"                                                                     \
    "smlad r7, r11, r12, r7\n"                                                                     \
    "smlad r2, r10, lr, r2\n"                                                                      \
    "smlad r3, r11, lr, r3\n"

/* The word is loaded again for every two depths: no register is left to keep it. */
#define EK_CODE_DEPTHS(load, shift, both, a)                                                       \
    "ldr r12, [r8]" load "\n" shift "and r12, r12, #" both "\n"                                    \
    "and lr, r12, #" a "\n" EK_CODE_EIGHT
#define EK_CODE_SHIFT(n) "lsr r12, r12, #" n "\n"
#define EK_CODE_DEPTHS_4(shift, load) EK_CODE_DEPTHS(load, shift, "0x00ff00ff", "0x000f000f")
#define EK_CODE_DEPTHS_2(shift, load) EK_CODE_DEPTHS(load, shift, "0x000f000f", "0x00030003")
#define EK_CODE_DEPTHS_1(shift, load) EK_CODE_DEPTHS(load, shift, "0x00030003", "0x00010001")

#define EK_CODE_WORD_4 EK_CODE_DEPTHS_4("", "") EK_CODE_DEPTHS_4(EK_CODE_SHIFT("8"), ", #4")
#define EK_CODE_WORD_2                                                                             \
    EK_CODE_DEPTHS_2("", "")                                                                       \
    EK_CODE_DEPTHS_2(EK_CODE_SHIFT("4"), "")                                                       \
    EK_CODE_DEPTHS_2(EK_CODE_SHIFT("8"), "")                                                       \
    EK_CODE_DEPTHS_2(EK_CODE_SHIFT("12"), ", #4")
#define EK_CODE_WORD_1                                                                             \
    EK_CODE_DEPTHS_1("", "")                                                                       \
    EK_CODE_DEPTHS_1(EK_CODE_SHIFT("2"), "")                                                       \
    EK_CODE_DEPTHS_1(EK_CODE_SHIFT("4"), "")                                                       \
    EK_CODE_DEPTHS_1(EK_CODE_SHIFT("6"), "")                                                       \
    EK_CODE_DEPTHS_1(EK_CODE_SHIFT("8"), "")                                                       \
    EK_CODE_DEPTHS_1(EK_CODE_SHIFT("10"), "")                                                      \
    EK_CODE_DEPTHS_1(EK_CODE_SHIFT("12"), "")                                                      \
    EK_CODE_DEPTHS_1(EK_CODE_SHIFT("14"), ", #4")

#define EK_CODE_OTHER(a, both, bits)                                                               \
    "subs " both ", " both ", " a "\nasrs " both ", " both ", #" #bits "\n"

/* Stack: windows, their end, sums, pairs of channels left. r0-r3: sums of a, r4-r7: of both. */
#define EK_CODE_FOUR(name, bits)                                                                   \
    __attribute__((naked, noinline)) static void name(const ek_code_job *job EK_CODE_UNUSED)       \
    {                                                                                              \
        __asm__ volatile("push {r4-r11, lr}\n"                                                     \
                         "sub sp, #20\n"                                                           \
                         "ldm r0, {r1, r2, r8, r10, r11}\n"                                        \
                         "stm sp, {r1, r2, r10, r11}\n"                                            \
                         "1:\n"                                                                    \
                         "ldr r9, [sp]\n"                                                          \
                         "movs r0, #0\n"                                                           \
                         "movs r1, #0\n"                                                           \
                         "movs r2, #0\n"                                                           \
                         "movs r3, #0\n"                                                           \
                         "movs r4, #0\n"                                                           \
                         "movs r5, #0\n"                                                           \
                         "movs r6, #0\n"                                                           \
                         "movs r7, #0\n"                                                           \
                         "2:\n" EK_CODE_WORD_##bits                                                \
                         "ldr r10, [sp, #4]\n"                                                     \
                         "cmp r9, r10\n"                                                           \
                         "bne 2b\n" EK_CODE_OTHER("r0", "r4", bits)                                \
                             EK_CODE_OTHER("r1", "r5", bits) EK_CODE_OTHER("r2", "r6", bits)       \
                                 EK_CODE_OTHER("r3", "r7", bits) "ldrd r10, r11, [sp, #8]\n"       \
                                                                 "stm r10!, {r0-r7}\n"             \
                                                                 "subs r11, r11, #1\n"             \
                                                                 "strd r10, r11, [sp, #8]\n"       \
                                                                 "bne 1b\n"                        \
                                                                 "add sp, #20\n"                   \
                                                                 "pop {r4-r11, pc}\n");            \
    }
#else
/* Two channels of four pixels, pair by pair. */
#define EK_CODE_FOUR(name, bits)                                                                   \
    static void name(const ek_code_job *job)                                                       \
    {                                                                                              \
        const int32_t words = (int32_t)(job->end - job->v) / (EK_CODE_PIXELS * 8 / (bits));        \
        for (int32_t pair = 0; pair < job->pairs; pair++) {                                        \
            for (int32_t pixel = 0; pixel < EK_CODE_PIXELS; pixel++) {                             \
                ek_code_one(&job->v[pixel], EK_CODE_PIXELS, &job->weights[pair * words], words,    \
                            bits, &job->sums[2 * EK_CODE_PIXELS * pair + pixel]);                  \
            }                                                                                      \
        }                                                                                          \
    }
#endif

EK_CODE_FOUR(ek_code_four_w1, 1)
EK_CODE_FOUR(ek_code_four_w2, 2)
EK_CODE_FOUR(ek_code_four_w4, 4)

/* Sums of `count` channels from `first` on, an even one, over `n` gathered windows, 1 or 4. */
static void ek_code_multiply(const ek_codes *p, const int32_t *scratch, int32_t first,
                             int32_t count, int32_t n, int32_t *sums)
{
    const int32_t stride = ek_code_stride(p);
    const ek_code_job job = {scratch, &scratch[8 / p->bits * stride * p->words],
                             &p->weights[first / 2 * p->words], sums, (count + 1) / 2};
    if (n == EK_CODE_PIXELS) {
        (p->bits == 1 ? ek_code_four_w1 : p->bits == 2 ? ek_code_four_w2 : ek_code_four_w4)(&job);
    } else {
        for (int32_t pair = 0; pair < job.pairs; pair++) {
            ek_code_one(scratch, stride, &job.weights[pair * p->words], p->words, p->bits,
                        &sums[2 * EK_CODE_PIXELS * pair]);
        }
    }
}

#endif
