/* Counters of equal bits. EK_BIN_WORDS, 1 or 4, says how many words are worked on at once.
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
#ifndef EK_BIN_COUNT_H
#define EK_BIN_COUNT_H

#include "ek_bin.h"

/* One bit of each lane's counter: 32 lanes, or 128 in vectors of EK_BIN_WORDS words. */
#if EK_BIN_WORDS == 1
typedef uint32_t ek_bin_t;
typedef uint32_t ek_bin_stored;
#else
typedef uint32_t ek_bin_t __attribute__((vector_size(4 * EK_BIN_WORDS)));
typedef ek_bin_t ek_bin_stored __attribute__((aligned(4), may_alias)); /* in memory */
#endif

typedef struct {
    ek_bin_t one;
    ek_bin_t both; /* one ^ the other */
} ek_bin_carries;

/* Weights of the inputs to come: `stride` words each, of which the first ones count. */
typedef struct {
    const int32_t *at;
    int32_t stride;
} ek_bin_weights;

/* All lanes hold bit i of x. */
EK_BIN_INLINE ek_bin_t ek_bin_spread(uint32_t x, int32_t i)
{
    const uint32_t bit = (uint32_t)((int32_t)(x << (31 - i)) >> 31);
#if EK_BIN_WORDS == 1
    return bit;
#else
    return (ek_bin_t){bit, bit, bit, bit};
#endif
}

/* Plane 0 after the next input, which is bit i of x. */
EK_BIN_INLINE ek_bin_t ek_bin_parity(ek_bin_weights *w, uint32_t x, int32_t i)
{
    const ek_bin_t word = *(const ek_bin_stored *)(const void *)w->at;
    w->at += EK_BIN_WORDS == 1 ? 1 : w->stride; /* a constant where it can be */
    return word ^ ek_bin_spread(x, i);
}

/* The carry of two inputs: *a falls to b, or b to the new *a. */
EK_BIN_INLINE ek_bin_t ek_bin_2(ek_bin_t *a, ek_bin_weights *w, uint32_t x, int32_t i)
{
    const ek_bin_t b = ek_bin_parity(w, x, i);
    const ek_bin_t c = ek_bin_parity(w, x, i + 1);
    const ek_bin_t carry = *a ^ (b & ~(*a ^ c));
    *a = c;
    return carry;
}

/* Both carries of four inputs. */
EK_BIN_INLINE ek_bin_carries ek_bin_4(ek_bin_t *a, ek_bin_weights *w, uint32_t x, int32_t i)
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
static inline int32_t ek_bin_lane(const ek_bin_stored *planes, int32_t count, int32_t lane)
{
    const uint32_t *words = (const uint32_t *)(const void *)planes;
    uint32_t sum = 0;
    for (int32_t i = count - 1; i >= 0; i--) {
        sum = 2 * sum + ((words[i * EK_BIN_WORDS + lane / 32] >> (lane % 32)) & 1U);
    }
    return (int32_t)sum;
}

#endif
