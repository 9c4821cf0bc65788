/* Depthwise convolution of bits by weights of one bit, 32 channels at once. */
#define EK_BIN_WORDS 1

#include "ek_bin_count.h"

#define EK_GROUP 8

/* Where each cell of a window begins in x, in words; -1: outside. */
static void places_of(const ek_window *w, int32_t top, int32_t left, int32_t words, int32_t *places)
{
    for (int32_t i = 0; i < w->kernel_h; i++) {
        const int32_t row = top + i * w->dilation_h;
        for (int32_t j = 0; j < w->kernel_w; j++) {
            const int32_t column = left + j * w->dilation_w;
            const int inside = row >= 0 && row < w->in_h && column >= 0 && column < w->in_w;
            *places++ = inside ? (row * w->in_w + column) * words : -1;
        }
    }
}

/* Bits of the input channels of 32 output channels from `first` on. */
static uint32_t repeated(const uint32_t *cell, int32_t in_c, int32_t multiplier, int32_t first)
{
    uint32_t word = 0;
    for (int32_t i = 0; i < EK_BIN_LANES; i++) {
        const int32_t c = (first + i) / multiplier;
        if (c < in_c) {
            word |= ((cell[c / EK_BIN_LANES] >> (c % EK_BIN_LANES)) & 1U) << i;
        }
    }
    return word;
}

EK_BIN_INLINE ek_bin_carries pair(const ek_bin_t *v)
{
    return (ek_bin_carries){.one = v[0], .both = v[0] ^ v[1]};
}

/* Adds a bit to the counters from a plane on. */
EK_BIN_INLINE void add_from(ek_bin_t *plane, const ek_bin_t *end, ek_bin_t bit)
{
    for (; plane != end; plane++) {
        bit = ek_bin_add_one(plane, bit);
    }
}

/* Adds `count` bits to the planes. */
static void add_bits(const ek_bin_t *v, int32_t count, ek_bin_t *planes, int32_t plane_count)
{
    const ek_bin_t *end = &planes[plane_count];
    for (; count >= EK_GROUP; count -= EK_GROUP) {
        const ek_bin_carries a = ek_bin_add(&planes[0], pair(&v[0]), pair(&v[2]));
        const ek_bin_carries b = ek_bin_add(&planes[0], pair(&v[4]), pair(&v[6]));
        add_from(&planes[3], end, ek_bin_add_pair(&planes[2], ek_bin_add(&planes[1], a, b)));
        v += EK_GROUP;
    }
    for (; count > 0; count--) {
        add_from(&planes[0], end, *v++);
    }
}

/* A word of channels; the planes hold where its counts start. */
static void count_word(const ek_bin_depthwise_params *p, int32_t word, const int32_t *places,
                       const int32_t *w, const uint32_t *x, ek_bin_t *planes, ek_bin_t *bits)
{
    const int32_t cells = p->window.kernel_h * p->window.kernel_w;
    const uint32_t outside = (uint32_t)p->padding;
    if (p->multiplier == 1) {
        x += word;
        for (int32_t i = 0; i < cells; i++) {
            bits[i] = (places[i] < 0 ? outside : x[places[i]]) ^ (ek_bin_t)w[i];
        }
    } else {
        for (int32_t i = 0; i < cells; i++) {
            const uint32_t *cell = &x[places[i] < 0 ? 0 : places[i]];
            const int32_t first = word * EK_BIN_LANES;
            const uint32_t v = repeated(cell, p->window.in_c, p->multiplier, first);
            bits[i] = (places[i] < 0 ? outside : v) ^ (ek_bin_t)w[i];
        }
    }
    add_bits(bits, cells, planes, p->planes);
}

/* One output pixel. */
static void pixel(const ek_bin_depthwise_params *p, int32_t *scratch, const int32_t *start,
                  const uint32_t *x, int8_t *y)
{
    const int32_t cells = p->window.kernel_h * p->window.kernel_w;
    const int32_t out_c = p->window.in_c * p->multiplier;
    int32_t *places = &scratch[p->planes];
    ek_bin_t *planes = (ek_bin_t *)(void *)scratch;
    ek_bin_t *bits = (ek_bin_t *)(void *)&places[cells];
    const int32_t *w = p->weights;
    for (int32_t first = 0; first < out_c; first += EK_BIN_LANES) {
        const int32_t word = first / EK_BIN_LANES;
        for (int32_t i = 0; i < p->planes; i++) {
            planes[i] = p->to_bits != 0 ? (ek_bin_t)start[word * p->planes + i] : 0;
        }
        count_word(p, word, places, w, x, planes, bits);
        w += cells;
        if (p->to_bits != 0) {
            ((uint32_t *)(void *)y)[word] = planes[p->planes - 1];
            continue;
        }
        for (int32_t c = first; c < first + EK_BIN_LANES && c < out_c; c++) {
            const int32_t equal = ek_bin_lane(planes, p->planes, c - first);
            ek_bin_put(&p->result, c, 2 * equal + start[c], y);
        }
    }
}

void ek_bin_depthwise(const ek_bin_depthwise_params *p, int32_t *scratch, const int8_t *x,
                      int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t out_c = w->in_c * p->multiplier;
    const int32_t words = (out_c + EK_BIN_LANES - 1) / EK_BIN_LANES;
    const int32_t in_words = (w->in_c + EK_BIN_LANES - 1) / EK_BIN_LANES;
    const int32_t size = p->to_bits != 0 ? words * p->planes : out_c;
    const int32_t sum_bytes = p->result.levels > 0 ? 1 : p->result.bytes;
    const int32_t pixel_bytes = p->to_bits != 0 ? words * 4 : out_c * sum_bytes;
    for (int32_t row = 0; row < w->out_h; row++) {
        const int32_t row_class = p->classes[row] * p->column_classes;
        for (int32_t column = 0; column < w->out_w; column++) {
            const int32_t set = row_class + p->classes[w->out_h + column];
            places_of(w, row * w->stride_h - w->pad_top, column * w->stride_w - w->pad_left,
                      in_words, &scratch[p->planes]);
            pixel(p, scratch, &p->starts[set * size], (const uint32_t *)(const void *)x, y);
            y += pixel_bytes;
        }
    }
}
