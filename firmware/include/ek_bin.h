/* What the kernels of bits share: -1 is stored as 0 and +1 as 1, rows in words of 32 bits. */
#ifndef EK_BIN_H
#define EK_BIN_H

#include "edgekit.h"

#define EK_BIN_LANES 32
#define EK_BIN_INLINE static inline __attribute__((always_inline))

/* How many of ascending thresholds a value passes. */
static inline int32_t ek_bin_passed(int32_t value, const int32_t *t, int32_t levels)
{
    int32_t passed = 0;
    for (int32_t i = 0; i < levels; i++) {
        passed += value >= t[i] ? 1 : 0;
    }
    return passed;
}

/* Writes the sum of an output channel. */
static inline void ek_bin_put(const ek_bin_result *r, int32_t channel, int32_t sum, int8_t *y)
{
    if (r->levels > 0) {
        const int32_t *t = &r->thresholds[channel * r->levels];
        y[channel] = (int8_t)(r->low + ek_bin_passed(sum, t, r->levels));
    } else if (r->bytes == 2) {
        ((int16_t *)(void *)y)[channel] = (int16_t)sum;
    } else {
        ((int32_t *)(void *)y)[channel] = sum;
    }
}

/* Appends the low `count` bits of a word, the others being 0. */
typedef struct {
    uint32_t *to;
    uint32_t word; /* what is in no word yet */
    int32_t used;  /* its bits, less than 32 */
} ek_bin_writer;

EK_BIN_INLINE void ek_bin_append(ek_bin_writer *out, uint32_t bits, int32_t count)
{
    const int32_t room = EK_BIN_LANES - out->used;
    out->word |= bits << out->used;
    out->used += count;
    if (count >= room) {
        *out->to++ = out->word;
        out->word = room < EK_BIN_LANES ? bits >> room : 0;
        out->used -= EK_BIN_LANES;
    }
}

/* Writes the last bits of a row. */
static inline void ek_bin_flush(ek_bin_writer *out)
{
    if (out->used > 0) {
        *out->to++ = out->word;
        out->word = 0;
        out->used = 0;
    }
}

/* Appends a row of `count` bits, unused ones of its last word being 0. */
static inline void ek_bin_append_all(ek_bin_writer *out, const uint32_t *bits, int32_t count)
{
    for (; out->used == 0 && count >= EK_BIN_LANES; count -= EK_BIN_LANES) {
        *out->to++ = *bits++;
    }
    for (; count > 0; count -= EK_BIN_LANES) {
        ek_bin_append(out, *bits++, count < EK_BIN_LANES ? count : EK_BIN_LANES);
    }
}

/* Appends `count` bits of a word of equal ones. */
static inline void ek_bin_fill(ek_bin_writer *out, uint32_t value, int32_t count)
{
    for (; count > 0; count -= EK_BIN_LANES) {
        const int32_t bits = count < EK_BIN_LANES ? count : EK_BIN_LANES;
        ek_bin_append(out, value & (~0U >> (EK_BIN_LANES - bits)), bits);
    }
}

#endif
