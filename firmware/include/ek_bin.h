/* What the binary kernels share: values are -1 and +1, a set bit is +1, and sums count equal bits.
 *
 * A counter lies across words, its planes, lowest first: 32 lanes are 32 counters, and EOR, ORR and
 * BIC on whole words add a bit to each. Carries travel in pairs, as one of them and the EOR of
 * both: two full adders that follow each other then take 8 operations, not 10 (the MDFA block of
 * Demenkov, Kojevnikov, Kulikov and Yaroslavtsev, 2010).
 *
 * The lowest plane takes no adder at all: it is the parity of the bits so far. Those are x ^ w, so
 * weights are stored, and inputs brought, as running parities: one EOR gives the plane after an
 * input, and a carry leaves where it falls from 1 to 0.
 */
#ifndef EK_BIN_H
#define EK_BIN_H

#include "edgekit.h"

#define EK_BIN_LANES 32

/* Loops written out for Thumb-2: without optimization they find no registers. */
#if defined(__ARM_ARCH) && __ARM_ARCH >= 7 && defined(__GNUC__) && defined(__OPTIMIZE__) &&        \
    !defined(__clang__)
#define EK_BIN_ASM 1
#else
#define EK_BIN_ASM 0
#endif

typedef uint32_t ek_bin_t; /* one bit of each lane's counter */

#define EK_BIN_INLINE static inline __attribute__((always_inline))

typedef struct {
    ek_bin_t one;
    ek_bin_t both; /* one ^ the other */
} ek_bin_carries;

/* All lanes hold bit i of x. */
EK_BIN_INLINE ek_bin_t ek_bin_spread(uint32_t x, int32_t i)
{
    return (ek_bin_t)((int32_t)(x << (31 - i)) >> 31);
}

/* Plane 0 after input i: weights from w[0] on, inputs in x's bits from 0 on. */
EK_BIN_INLINE ek_bin_t ek_bin_parity(const int32_t *w, uint32_t x, int32_t i)
{
    return (ek_bin_t)w[i] ^ ek_bin_spread(x, i);
}

/* The carry of two inputs: *a falls to b, or b to the new *a. */
EK_BIN_INLINE ek_bin_t ek_bin_2(ek_bin_t *a, const int32_t *w, uint32_t x, int32_t i)
{
    const ek_bin_t b = ek_bin_parity(w, x, i);
    const ek_bin_t c = ek_bin_parity(w, x, i + 1);
    const ek_bin_t carry = *a ^ (b & ~(*a ^ c));
    *a = c;
    return carry;
}

/* Both carries of four inputs. */
EK_BIN_INLINE ek_bin_carries ek_bin_4(ek_bin_t *a, const int32_t *w, uint32_t x, int32_t i)
{
    const ek_bin_t b = ek_bin_parity(w, x, i);
    const ek_bin_t c = ek_bin_parity(w, x, i + 1);
    const ek_bin_t first = b | (*a ^ c); /* ^ c */
    const ek_bin_t d = ek_bin_parity(w, x, i + 2);
    const ek_bin_t e = ek_bin_parity(w, x, i + 3);
    const ek_bin_t second = d & ~(c ^ e); /* ^ c */
    *a = e;
    return (ek_bin_carries){.one = c ^ second, .both = first ^ second};
}

/* Adds two pairs of carries to a plane; its carries. */
EK_BIN_INLINE ek_bin_carries ek_bin_add(ek_bin_t *plane, ek_bin_carries p, ek_bin_carries q)
{
    const ek_bin_t middle = *plane ^ p.both;
    const ek_bin_t first = p.both | (p.one ^ *plane);   /* ^ middle */
    const ek_bin_t second = (q.one ^ middle) & ~q.both; /* ^ middle */
    *plane = middle ^ q.both;
    return (ek_bin_carries){.one = middle ^ second, .both = first ^ second};
}

/* Adds one pair of carries; its carry. */
EK_BIN_INLINE ek_bin_t ek_bin_add_pair(ek_bin_t *plane, ek_bin_carries p)
{
    const ek_bin_t before = *plane;
    *plane ^= p.both;
    return *plane ^ (p.both | (p.one ^ before));
}

/* Adds two bits that are no pair; their carry. */
EK_BIN_INLINE ek_bin_t ek_bin_add_two(ek_bin_t *plane, ek_bin_t p, ek_bin_t q)
{
    const ek_bin_t both = p ^ q;
    return ek_bin_add_pair(plane, (ek_bin_carries){.one = p, .both = both});
}

/* Adds one bit; its carry. */
EK_BIN_INLINE ek_bin_t ek_bin_add_one(ek_bin_t *plane, ek_bin_t p)
{
    const ek_bin_t carry = *plane & p;
    *plane ^= p;
    return carry;
}

/* The count in one lane of planes. */
static inline int32_t ek_bin_lane(const ek_bin_t *planes, int32_t count, int32_t lane)
{
    uint32_t sum = 0;
    for (int32_t i = count - 1; i >= 0; i--) {
        sum = 2 * sum + ((planes[i] >> lane) & 1U);
    }
    return (int32_t)sum;
}

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
