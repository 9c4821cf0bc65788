/* A convolution of bits, by counters of EK_BIN_WORDS words: included by the kernels. */
#ifndef EK_BIN_CONV2D_H
#define EK_BIN_CONV2D_H

#include "ek_bin_count.h"
#include "ek_bin_window.h"

/* Planes 0 to 4 of counters. */
typedef struct {
    ek_bin_t ones;
    ek_bin_t twos;
    ek_bin_t fours;
    ek_bin_t eights;
    ek_bin_t sixteens;
} low_planes;

/* Adds 32 inputs for each of `words` words, whose weights have `stride` words each; the carries to
 * a list. */
static void count_words(low_planes *s, const int32_t *w, int32_t stride, const uint32_t *x,
                        int32_t words, ek_bin_stored *list);

#if !EK_BIN_ASM

/* Of vectors that are no registers one function alone would keep too many on the stack. */
#if EK_BIN_WORDS == 1
#define EK_BIN_BLOCK EK_BIN_INLINE
#else
#define EK_BIN_BLOCK static __attribute__((noinline))
#endif

EK_BIN_BLOCK ek_bin_carries count_8(low_planes *s, ek_bin_weights *w, uint32_t x, int32_t i)
{
    const ek_bin_carries p = ek_bin_4(&s->ones, w, x, i);
    const ek_bin_carries q = ek_bin_4(&s->ones, w, x, i + 4);
    return ek_bin_add(&s->twos, p, q);
}

EK_BIN_BLOCK ek_bin_carries count_16(low_planes *s, ek_bin_weights *w, uint32_t x, int32_t i)
{
    const ek_bin_carries p = count_8(s, w, x, i);
    const ek_bin_carries q = count_8(s, w, x, i + 8);
    return ek_bin_add(&s->fours, p, q);
}

EK_BIN_BLOCK ek_bin_t count_32(low_planes *s, ek_bin_weights *w, uint32_t x)
{
    const ek_bin_carries p = count_16(s, w, x, 0);
    const ek_bin_carries q = count_16(s, w, x, 16);
    return ek_bin_add_pair(&s->sixteens, ek_bin_add(&s->eights, p, q));
}

static void count_words(low_planes *s, const int32_t *w, int32_t stride, const uint32_t *x,
                        int32_t words, ek_bin_stored *list)
{
    low_planes at = *s;
    ek_bin_weights from = {w, stride};
    for (int32_t i = 0; i < words; i++) {
        list[i] = count_32(&at, &from, x[i]);
    }
    *s = at;
}

#endif

/* A carry of plane 1 through planes 2 to 4. */
EK_BIN_INLINE ek_bin_t ripple(low_planes *s, ek_bin_t carry)
{
    carry = ek_bin_add_one(&s->fours, carry);
    carry = ek_bin_add_one(&s->eights, carry);
    return ek_bin_add_one(&s->sixteens, carry);
}

/* Adds a list of bits to the planes from `plane` on; the list is used up. */
static void add_list(ek_bin_stored *plane, const ek_bin_stored *end, ek_bin_stored *list,
                     const ek_bin_stored *list_end)
{
    for (; plane != end; plane++) {
        ek_bin_t sum = *plane;
        ek_bin_stored *to = list;
        const ek_bin_stored *from = list;
        for (; list_end - from >= 2; from += 2) {
            *to++ = ek_bin_add_two(&sum, from[0], from[1]);
        }
        if (from != list_end) {
            *to++ = ek_bin_add_one(&sum, *from);
        }
        list_end = to;
        *plane = sum;
    }
}

/* Adds the number of equal bits of `depth` inputs, brought as parities, to the planes. */
static void count(ek_bin_weights w, const uint32_t *x, int32_t depth, ek_bin_stored *planes,
                  int32_t plane_count, ek_bin_stored *list)
{
    ek_bin_stored *next = list;
    low_planes s = {ek_bin_spread(0, 0), planes[1], planes[2], planes[3], planes[4]};
    const int32_t whole = depth / EK_BIN_LANES;
    count_words(&s, w.at, w.stride, x, whole, next);
    x += whole;
    w.at += whole * EK_BIN_LANES * w.stride;
    next += whole;
    uint32_t last = depth % EK_BIN_LANES != 0 ? *x : 0;
    int32_t left = depth % EK_BIN_LANES;
    for (; left >= 4; left -= 4) {
        const ek_bin_carries pair = ek_bin_4(&s.ones, &w, last, 0);
        *next++ = ripple(&s, ek_bin_add_pair(&s.twos, pair));
        last >>= 4;
    }
    for (; left > 0; left -= 2) {
        const ek_bin_t carry = ek_bin_2(&s.ones, &w, last, 0);
        *next++ = ripple(&s, ek_bin_add_one(&s.twos, carry));
        last >>= 2;
    }
    *next++ = ripple(&s, ek_bin_add_one(&s.twos, s.ones & planes[0]));
    planes[0] ^= s.ones;
    planes[1] = s.twos;
    planes[2] = s.fours;
    planes[3] = s.eights;
    planes[4] = s.sixteens;
    add_list(&planes[5], &planes[plane_count], list, next);
}

/* The number of bits that are set in both or neither of x and the inverted row. */
static int32_t equal_bits(const uint32_t *x, const int32_t *row, int32_t words)
{
    uint32_t sum = 0;
    for (int32_t i = 0; i < words; i++) {
        uint32_t v = x[i] ^ (uint32_t)row[i];
        v -= (v >> 1) & 0x55555555U;
        v = (v & 0x33333333U) + ((v >> 2) & 0x33333333U);
        v = (v + (v >> 4)) & 0x0F0F0F0FU;
        sum += (v * 0x01010101U) >> 24;
    }
    return (int32_t)sum;
}

/* parities[i] is the parity of bits 0 to i. */
static void accumulate(const uint32_t *bits, int32_t words, uint32_t *parities)
{
    uint32_t before = 0;
    for (int32_t i = 0; i < words; i++) {
        uint32_t v = bits[i];
        v ^= v << 1;
        v ^= v << 2;
        v ^= v << 4;
        v ^= v << 8;
        v ^= v << 16;
        v ^= before;
        before = (uint32_t)((int32_t)v >> 31);
        parities[i] = v;
    }
}

/* What a pixel's channels have in common. */
typedef struct {
    int32_t depth;       /* bits of a window */
    int32_t length;      /* its words */
    int32_t rest;        /* channels that are in no counted word */
    const int32_t *rows; /* their weights */
    uint32_t *bits;
    uint32_t *parities;
    ek_bin_stored *planes;
    ek_bin_stored *list;
} work;

/* Fills the planes with the counts of `group` words of channels; returns the next weights. */
static const int32_t *count_group(const ek_bin_conv2d_params *p, const work *k, const int32_t *w,
                                  int32_t group, const int32_t *start)
{
    for (int32_t i = 0; i < p->planes; i++) {
        k->planes[i] = ek_bin_spread(0, 0);
        if (start != 0) {
            k->planes[i] = *(const ek_bin_stored *)(const void *)&start[i * group];
        }
    }
    const ek_bin_weights weights = {w, group};
    count(weights, k->parities, k->depth, k->planes, p->planes, k->list);
    return &w[(k->depth + 1) / 2 * 2 * group];
}

/* How many words of channels are counted together from the first-th on. */
static int32_t group_at(const ek_bin_conv2d_params *p, int32_t first)
{
    return p->words - first < EK_BIN_WORDS ? p->words - first : EK_BIN_WORDS;
}

static void bits_of(const ek_bin_conv2d_params *p, const work *k, const int32_t *start, uint32_t *y)
{
    const int32_t *w = p->weights;
    const uint32_t *highest = (const uint32_t *)(const void *)&k->planes[p->planes - 1];
    for (int32_t first = 0; first < p->words; first += EK_BIN_WORDS) {
        const int32_t group = group_at(p, first);
        w = count_group(p, k, w, group, start);
        start += p->planes * group;
        for (int32_t i = 0; i < group; i++) {
            *y++ = highest[i];
        }
    }
    uint32_t last = 0;
    for (int32_t i = 0; i < k->rest; i++) {
        const int32_t sum = 2 * equal_bits(k->bits, &k->rows[i * k->length], k->length);
        last |= (sum + start[i] >= 0 ? 1U : 0U) << i;
    }
    if (k->rest > 0) {
        *y = last;
    }
}

static void sums_of(const ek_bin_conv2d_params *p, const work *k, const int32_t *start, int8_t *y)
{
    const int32_t *w = p->weights;
    const int32_t counted = p->out_c - k->rest;
    for (int32_t c = 0; c < counted; c++) {
        const int32_t lane = c % (EK_BIN_LANES * EK_BIN_WORDS);
        if (lane == 0) {
            w = count_group(p, k, w, group_at(p, c / EK_BIN_LANES), 0);
        }
        ek_bin_put(&p->result, c, 2 * ek_bin_lane(k->planes, p->planes, lane) + start[c], y);
    }
    for (int32_t c = counted; c < p->out_c; c++) {
        const int32_t *row = &k->rows[(c - counted) * k->length];
        ek_bin_put(&p->result, c, 2 * equal_bits(k->bits, row, k->length) + start[c], y);
    }
}

EK_BIN_INLINE void convolve(const ek_bin_conv2d_params *p, int32_t *scratch, const int8_t *x,
                            int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t others = p->out_c - p->words * EK_BIN_LANES;
    const int32_t rest = others > 0 ? others : 0;
    const int32_t size = p->to_bits != 0 ? p->words * p->planes + rest : p->out_c;
    const int32_t pixel_bytes = p->to_bits != 0
                                    ? (p->out_c + EK_BIN_LANES - 1) / EK_BIN_LANES * 4
                                    : p->out_c * (p->result.levels > 0 ? 1 : p->result.bytes);
    work k;
    k.rest = rest;
    k.depth = w->kernel_h * w->kernel_w * w->in_c;
    k.length = (k.depth + EK_BIN_LANES - 1) / EK_BIN_LANES;
    k.rows = &p->weights[p->words * ((k.depth + 1) / 2 * 2)];
    k.planes = (ek_bin_stored *)(void *)scratch;
    k.bits = (uint32_t *)(void *)&scratch[p->planes * EK_BIN_WORDS];
    k.parities = &k.bits[k.length];
    k.list = (ek_bin_stored *)(void *)&k.parities[k.length];
    for (int32_t row = 0; row < w->out_h; row++) {
        const int32_t row_class = p->classes[row] * p->column_classes;
        for (int32_t column = 0; column < w->out_w; column++) {
            const int32_t *start = &p->starts[(row_class + p->classes[w->out_h + column]) * size];
            ek_bin_gather(w, (uint32_t)p->padding, row * w->stride_h - w->pad_top,
                          column * w->stride_w - w->pad_left, (const uint32_t *)(const void *)x,
                          k.bits);
            if (p->words > 0) {
                accumulate(k.bits, k.length, k.parities);
            }
            if (p->to_bits != 0) {
                bits_of(p, &k, start, (uint32_t *)(void *)y);
            } else {
                sums_of(p, &k, start, y);
            }
            y += pixel_bytes;
        }
    }
}

#endif
