/* Convolution and fully connected layer of bits by weights of -1, 0 and +1.
 *
 * 32 channels are counted at once, as in ek_bin_count.h: how many of a channel's weights that are
 * not 0 have the sign of their input. Of each input a word tells which channels have a weight of
 * -1, and another which have any: the input's bit chooses between them. */
#include "ek_trits.h"
#include "ek_bin_window.h"

/* The pair of channels' bits for inputs i and i + 1: one, and one ^ the other. */
EK_BIN_INLINE ek_bin_carries two_inputs(const int32_t *w, uint32_t x, int32_t i)
{
    const ek_bin_t a = (ek_bin_t)w[2 * i] ^ ((ek_bin_t)w[2 * i + 1] & ek_bin_spread(x, i));
    const ek_bin_t b = (ek_bin_t)w[2 * i + 2] ^ ((ek_bin_t)w[2 * i + 3] & ek_bin_spread(x, i + 1));
    return (ek_bin_carries){.one = a, .both = a ^ b};
}

EK_BIN_INLINE ek_bin_carries four_inputs(ek_trit_planes *s, const int32_t *w, uint32_t x, int32_t i)
{
    const ek_bin_carries p = two_inputs(w, x, i);
    const ek_bin_carries q = two_inputs(w, x, i + 2);
    return ek_bin_add(&s->ones, p, q);
}

EK_BIN_INLINE ek_bin_carries eight_inputs(ek_trit_planes *s, const int32_t *w, uint32_t x,
                                          int32_t i)
{
    const ek_bin_carries p = four_inputs(s, w, x, i);
    const ek_bin_carries q = four_inputs(s, w, x, i + 4);
    return ek_bin_add(&s->twos, p, q);
}

EK_BIN_INLINE ek_bin_carries sixteen_inputs(ek_trit_planes *s, const int32_t *w, uint32_t x,
                                            int32_t i)
{
    const ek_bin_carries p = eight_inputs(s, w, x, i);
    const ek_bin_carries q = eight_inputs(s, w, x, i + 8);
    return ek_bin_add(&s->fours, p, q);
}

/* Adds what `depth` inputs count to the planes. */
static void count(const int32_t *w, const uint32_t *x, int32_t depth, ek_bin_t *planes,
                  const ek_bin_t *end)
{
    ek_trit_planes s = ek_trit_load(planes);
    for (; depth >= EK_BIN_LANES; depth -= EK_BIN_LANES) {
        const ek_bin_carries p = sixteen_inputs(&s, w, *x, 0);
        const ek_bin_carries q = sixteen_inputs(&s, w, *x, 16);
        ek_trit_add_from(&planes[5], end,
                         ek_bin_add_pair(&s.sixteens, ek_bin_add(&s.eights, p, q)));
        w += 2 * EK_BIN_LANES;
        x++;
    }
    ek_trit_save(&s, planes);
    for (int32_t i = 0; i < depth; i++) {
        ek_trit_add_from(planes, end,
                         (ek_bin_t)w[2 * i] ^ ((ek_bin_t)w[2 * i + 1] & ek_bin_spread(*x, i)));
    }
}

/* One pixel's outputs. */
static void outputs(const ek_bin_ternary_params *p, const uint32_t *bits, const int32_t *start,
                    int32_t depth, ek_bin_t *planes, int8_t *y)
{
    const ek_bin_t *end = &planes[p->planes];
    for (int32_t word = 0; word < p->words; word++) {
        const int32_t first = word * EK_BIN_LANES;
        ek_trit_start(planes, p->planes, p->to_bits != 0 ? &start[word * p->planes] : 0);
        count(&p->weights[2 * depth * word], bits, depth, planes, end);
        if (p->to_bits != 0) {
            ((uint32_t *)(void *)y)[word] = planes[p->planes - 1];
        } else {
            ek_trit_put(&p->result, planes, p->planes, 2, start, first, p->out_c - first, y);
        }
    }
}

void ek_bin_ternary(const ek_bin_ternary_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t depth = w->kernel_h * w->kernel_w * w->in_c;
    const int32_t size = p->to_bits != 0 ? p->words * p->planes : p->out_c;
    const int32_t pixel_bytes =
        p->to_bits != 0 ? 4 * p->words : p->out_c * (p->result.levels > 0 ? 1 : p->result.bytes);
    uint32_t *bits = (uint32_t *)(void *)&scratch[p->planes];
    for (int32_t row = 0; row < w->out_h; row++) {
        const int32_t sets = p->classes[row] * p->column_classes;
        for (int32_t column = 0; column < w->out_w; column++) {
            const int32_t *start = &p->starts[(sets + p->classes[w->out_h + column]) * size];
            ek_bin_gather(w, (uint32_t)p->padding, row * w->stride_h - w->pad_top,
                          column * w->stride_w - w->pad_left, (const uint32_t *)(const void *)x,
                          bits);
            outputs(p, bits, start, depth, (ek_bin_t *)(void *)scratch, y);
            y += pixel_bytes;
        }
    }
}
