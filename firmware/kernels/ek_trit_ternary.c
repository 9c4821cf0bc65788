/* Convolution and fully connected layer of -1, 0 and +1 by weights of -1, 0 and +1.
 *
 * 32 channels are counted at once, as in ek_bin.h. What is counted is the sum of x * w + 1, two
 * bits for each input: the higher one is set where the product is +1, the lower one where it is 0.
 */
#include "ek_trits.h"

/* 32 inputs: which are -1, and which are not 0. */
typedef struct {
    uint32_t minus;
    uint32_t some;
} inputs;

EK_BIN_INLINE ek_bin_t higher(const int32_t *w, inputs x, int32_t i)
{
    const ek_bin_t chosen =
        (ek_bin_t)w[2 * i] ^ ((ek_bin_t)w[2 * i + 1] & ek_bin_spread(x.minus, i));
    return chosen & ek_bin_spread(x.some, i);
}

EK_BIN_INLINE ek_bin_t lower(const int32_t *w, inputs x, int32_t i)
{
    return ~((ek_bin_t)w[2 * i + 1] & ek_bin_spread(x.some, i));
}

EK_BIN_INLINE ek_bin_carries pair(ek_bin_t a, ek_bin_t b)
{
    return (ek_bin_carries){.one = a, .both = a ^ b};
}

/* The lower bits of four inputs; their carries. */
EK_BIN_INLINE ek_bin_carries four_lower(ek_trit_planes *s, const int32_t *w, inputs x, int32_t i)
{
    return ek_bin_add(&s->ones, pair(lower(w, x, i), lower(w, x, i + 1)),
                      pair(lower(w, x, i + 2), lower(w, x, i + 3)));
}

EK_BIN_INLINE ek_bin_carries two_higher(const int32_t *w, inputs x, int32_t i)
{
    return pair(higher(w, x, i), higher(w, x, i + 1));
}

/* Eight inputs; what they carry out of the sixteens. */
EK_BIN_INLINE ek_bin_t eight_inputs(ek_trit_planes *s, const int32_t *w, inputs x, int32_t i)
{
    const ek_bin_carries a = ek_bin_add(&s->twos, four_lower(s, w, x, i), two_higher(w, x, i));
    const ek_bin_carries b =
        ek_bin_add(&s->twos, four_lower(s, w, x, i + 4), two_higher(w, x, i + 2));
    const ek_bin_carries c = ek_bin_add(&s->twos, two_higher(w, x, i + 4), two_higher(w, x, i + 6));
    const ek_bin_carries d = ek_bin_add(&s->fours, a, b);
    const ek_bin_t e = ek_bin_add_pair(&s->fours, c);
    const ek_bin_t f = ek_bin_add_pair(&s->eights, d);
    return ek_bin_add_two(&s->sixteens, f, ek_bin_add_one(&s->eights, e));
}

/* Adds what `depth` inputs count to the planes. */
static void count(const int32_t *w, const inputs *x, int32_t depth, ek_bin_t *planes,
                  const ek_bin_t *end)
{
    ek_trit_planes s = ek_trit_load(planes);
    for (; depth >= EK_BIN_LANES; depth -= EK_BIN_LANES) {
        inputs v = *x++;
        for (int32_t i = 0; i < EK_BIN_LANES; i += 8) {
            ek_trit_add_from(&planes[5], end, eight_inputs(&s, w, v, 0));
            v.minus >>= 8;
            v.some >>= 8;
            w += 16;
        }
    }
    ek_trit_save(&s, planes);
    for (int32_t i = 0; i < depth; i++) {
        ek_trit_add_from(planes, end, lower(w, *x, i));
        ek_trit_add_from(&planes[1], end, higher(w, *x, i));
    }
}

/* Where the next value goes: the word, and the bit that no value has yet. */
typedef struct {
    inputs *to;
    uint32_t bit;
} place;

EK_BIN_INLINE void append(place *at, inputs *word, int32_t q)
{
    word->minus |= q < 0 ? at->bit : 0;
    word->some |= q != 0 ? at->bit : 0;
    at->bit <<= 1;
    if (at->bit == 0) {
        *at->to++ = *word;
        *word = (inputs){0, 0};
        at->bit = 1;
    }
}

/* The values of the window at (top, left), one after the other. */
static void gather(const ek_trit_ternary_params *p, int32_t top, int32_t left, const int8_t *x,
                   inputs *out)
{
    const ek_window *w = &p->window;
    place at = {out, 1};
    inputs word = {0, 0};
    for (int32_t i = 0; i < w->kernel_h; i++) {
        const int32_t row = top + i * w->dilation_h;
        for (int32_t j = 0; j < w->kernel_w; j++) {
            const int32_t column = left + j * w->dilation_w;
            const int inside = row >= 0 && row < w->in_h && column >= 0 && column < w->in_w;
            const int8_t *cell = &x[inside ? (row * w->in_w + column) * w->in_c : 0];
            for (int32_t c = 0; c < w->in_c; c++) {
                append(&at, &word, inside ? cell[c] : p->outside);
            }
        }
    }
    if (at.bit != 1) {
        *at.to = word;
    }
}

/* One pixel's outputs. */
static void outputs(const ek_trit_ternary_params *p, const inputs *x, int32_t depth,
                    ek_bin_t *planes, int8_t *y)
{
    const ek_bin_t *end = &planes[p->planes];
    for (int32_t word = 0; word < p->words; word++) {
        const int32_t first = word * EK_BIN_LANES;
        ek_trit_start(planes, p->planes, p->to_bits != 0 ? &p->starts[word * p->planes] : 0);
        count(&p->weights[2 * depth * word], x, depth, planes, end);
        if (p->to_bits != 0) {
            ((uint32_t *)(void *)y)[word] = planes[p->planes - 1];
        } else {
            ek_trit_put(&p->result, planes, p->planes, 1, p->starts, first, p->out_c - first, y);
        }
    }
}

void ek_trit_ternary(const ek_trit_ternary_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t depth = w->kernel_h * w->kernel_w * w->in_c;
    inputs *values = (inputs *)(void *)&scratch[p->planes];
    for (int32_t row = 0; row < w->out_h; row++) {
        for (int32_t column = 0; column < w->out_w; column++) {
            gather(p, row * w->stride_h - w->pad_top, column * w->stride_w - w->pad_left, x,
                   values);
            outputs(p, values, depth, (ek_bin_t *)(void *)scratch, y);
            y += p->pixel_bytes;
        }
    }
}
