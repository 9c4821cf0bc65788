/* Sums of codes in portable C: one multiplication serves two channels.
 *
 * A word ANDed with a mask leaves one code of channel a in its lower half and one of b in its upper
 * half. Multiplied by a value of 0..255 and added up, both halves keep to 16 bits for `run` words.
 */
#ifndef EK_CODE_PAIRS_H
#define EK_CODE_PAIRS_H

#define EK_CODE_PIXELS 2

#include "ek_code_rows.h"

/* Write the values of a window, EK_CODE_PIXELS bytes apart; returns their sum. */
EK_LOOP int32_t ek_code_gather(const ek_codes *p, const int8_t *x, int32_t pixel, int8_t *room,
                               uint8_t *out)
{
    const ek_window *w = &p->window;
    const ek_code_place at = ek_code_place_of(p, pixel);
    const int32_t run = ek_code_run(p);
    const uint8_t *end = &out[p->words * (16 / p->bits) * EK_CODE_PIXELS];
    int32_t sum = 0;
    for (int32_t ky = 0; ky < w->kernel_h; ky++) {
        const int8_t *from = ek_code_row(p, x, at.row + ky * w->dilation_h, at.column, room);
        for (int32_t i = 0; i < run; i++) {
            const int32_t v = from[i] - p->base;
            *out = (uint8_t)v;
            sum += v;
            out += EK_CODE_PIXELS;
        }
        for (int32_t i = run; (i & 3) != 0; i++) {
            *out = 0;
            out += EK_CODE_PIXELS;
        }
    }
    while (out < end) {
        *out = 0;
        out += EK_CODE_PIXELS;
    }
    return sum;
}

/* One depth of two channels, in one pixel or two. */
#define EK_CODE_STEP(i, bits, pixels)                                                              \
    both = (word >> ((i) * (bits))) & (((1U << (bits)) - 1U) * 0x00010001U);                       \
    s0 += v[2 * (i)] * both;                                                                       \
    if ((pixels) == 2) {                                                                           \
        s1 += v[2 * (i) + 1] * both;                                                               \
    }
#define EK_CODE_4(i, bits, pixels)                                                                 \
    EK_CODE_STEP(i, bits, pixels)                                                                  \
    EK_CODE_STEP((i) + 1, bits, pixels)                                                            \
    EK_CODE_STEP((i) + 2, bits, pixels)                                                            \
    EK_CODE_STEP((i) + 3, bits, pixels)
#define EK_CODE_WORD_4(bits, pixels) EK_CODE_4(0, bits, pixels)
#define EK_CODE_WORD_2(bits, pixels) EK_CODE_4(0, bits, pixels) EK_CODE_4(4, bits, pixels)
#define EK_CODE_WORD_1(bits, pixels)                                                               \
    EK_CODE_WORD_2(bits, pixels) EK_CODE_4(8, bits, pixels) EK_CODE_4(12, bits, pixels)

/* Sums of two channels over `words` words. */
#define EK_CODE_LOOP(name, bits, pixels)                                                           \
    EK_LOOP void name(const uint8_t *v, const int32_t *w, int32_t words, int32_t run,              \
                      int32_t *sums)                                                               \
    {                                                                                              \
        const int32_t *end = &w[words];                                                            \
        uint32_t a0 = 0;                                                                           \
        uint32_t a1 = 0;                                                                           \
        uint32_t b0 = 0;                                                                           \
        uint32_t b1 = 0;                                                                           \
        while (w != end) {                                                                         \
            const int32_t *stop = end - w > run ? &w[run] : end;                                   \
            uint32_t s0 = 0;                                                                       \
            uint32_t s1 = 0;                                                                       \
            do {                                                                                   \
                const uint32_t word = (uint32_t)*w++;                                              \
                uint32_t both;                                                                     \
                EK_CODE_WORD_##bits(bits, pixels) v += EK_CODE_PIXELS * (16 / (bits));             \
            } while (w != stop);                                                                   \
            a0 += s0 & 0xFFFFU;                                                                    \
            b0 += s0 >> 16;                                                                        \
            a1 += s1 & 0xFFFFU;                                                                    \
            b1 += s1 >> 16;                                                                        \
        }                                                                                          \
        sums[0] = (int32_t)a0;                                                                     \
        sums[1] = (int32_t)a1;                                                                     \
        sums[2] = (int32_t)b0;                                                                     \
        sums[3] = (int32_t)b1;                                                                     \
    }

EK_CODE_LOOP(ek_code_one_w1, 1, 1)
EK_CODE_LOOP(ek_code_one_w2, 2, 1)
EK_CODE_LOOP(ek_code_one_w4, 4, 1)
EK_CODE_LOOP(ek_code_two_w1, 1, 2)
EK_CODE_LOOP(ek_code_two_w2, 2, 2)
EK_CODE_LOOP(ek_code_two_w4, 4, 2)

/* Sums of `count` channels from `first` on, an even one, over `n` gathered windows. */
static void ek_code_multiply(const ek_codes *p, const int32_t *scratch, int32_t first,
                             int32_t count, int32_t n, int32_t *sums)
{
    const uint8_t *v = (const uint8_t *)scratch;
    const int32_t *w = &p->weights[first / 2 * p->words];
    for (int32_t c = 0; c < count; c += 2) {
        if (p->bits == 1) {
            (n == 1 ? ek_code_one_w1 : ek_code_two_w1)(v, w, p->words, p->run, sums);
        } else if (p->bits == 2) {
            (n == 1 ? ek_code_one_w2 : ek_code_two_w2)(v, w, p->words, p->run, sums);
        } else {
            (n == 1 ? ek_code_one_w4 : ek_code_two_w4)(v, w, p->words, p->run, sums);
        }
        w += p->words;
        sums += 2 * EK_CODE_PIXELS;
    }
}

/* Gather the windows of `n` pixels into scratch; `values` receives their sums. */
static void ek_code_windows(const ek_codes *p, int32_t *scratch, const int8_t *x, int32_t pixel,
                            int32_t n, int32_t *values)
{
    uint8_t *out = (uint8_t *)scratch;
    int8_t *room = (int8_t *)&out[EK_CODE_PIXELS * (16 / p->bits) * p->words];
    for (int32_t slot = 0; slot < n; slot++) {
        values[slot] = ek_code_gather(p, x, pixel + slot, room, &out[slot]);
    }
}

#endif
