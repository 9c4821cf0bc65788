/* Convolution and fully connected layer of bits by weights of one bit. */
#include "ek_bin.h"

/* Planes 0 to 4 of 32 counters. */
typedef struct {
    ek_bin_t ones;
    ek_bin_t twos;
    ek_bin_t fours;
    ek_bin_t eights;
    ek_bin_t sixteens;
} low_planes;

EK_BIN_INLINE ek_bin_carries count_8(low_planes *s, const int32_t *w, uint32_t x, int32_t i)
{
    const ek_bin_carries p = ek_bin_4(&s->ones, w, x, i);
    const ek_bin_carries q = ek_bin_4(&s->ones, w, x, i + 4);
    return ek_bin_add(&s->twos, p, q);
}

EK_BIN_INLINE ek_bin_carries count_16(low_planes *s, const int32_t *w, uint32_t x, int32_t i)
{
    const ek_bin_carries p = count_8(s, w, x, i);
    const ek_bin_carries q = count_8(s, w, x, i + 8);
    return ek_bin_add(&s->fours, p, q);
}

EK_BIN_INLINE ek_bin_t count_32(low_planes *s, const int32_t *w, uint32_t x)
{
    const ek_bin_carries p = count_16(s, w, x, 0);
    const ek_bin_carries q = count_16(s, w, x, 16);
    return ek_bin_add_pair(&s->sixteens, ek_bin_add(&s->eights, p, q));
}

/* A carry of plane 0 through planes 1 to 4. */
EK_BIN_INLINE ek_bin_t ripple(low_planes *s, ek_bin_t carry)
{
    carry = ek_bin_add_one(&s->twos, carry);
    carry = ek_bin_add_one(&s->fours, carry);
    carry = ek_bin_add_one(&s->eights, carry);
    return ek_bin_add_one(&s->sixteens, carry);
}

/* Adds a list of bits to the planes from `plane` on; the list is used up. */
static void add_list(ek_bin_t *plane, const ek_bin_t *end, ek_bin_t *list, const ek_bin_t *list_end)
{
    for (; plane != end; plane++) {
        ek_bin_t sum = *plane;
        ek_bin_t *to = list;
        const ek_bin_t *from = list;
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
static void count(const int32_t *w, const uint32_t *x, int32_t depth, ek_bin_t *planes,
                  int32_t plane_count, ek_bin_t *list)
{
    ek_bin_t *next = list;
    low_planes s = {0, planes[1], planes[2], planes[3], planes[4]};
    for (const uint32_t *end = &x[depth / EK_BIN_LANES]; x != end; x++) {
        *next++ = count_32(&s, w, *x);
        w += EK_BIN_LANES;
    }
    uint32_t last = depth % EK_BIN_LANES != 0 ? *x : 0;
    for (int32_t i = depth % EK_BIN_LANES; i > 0; i -= 2) {
        *next++ = ripple(&s, ek_bin_2(&s.ones, w, last, 0));
        last >>= 2;
        w += 2;
    }
    *next++ = ripple(&s, s.ones & planes[0]);
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
    int32_t sum = 0;
    for (int32_t i = 0; i < words; i++) {
        uint32_t v = x[i] ^ (uint32_t)row[i];
        v -= (v >> 1) & 0x55555555U;
        v = (v & 0x33333333U) + ((v >> 2) & 0x33333333U);
        v = (v + (v >> 4)) & 0x0F0F0F0FU;
        sum += (int32_t)((v * 0x01010101U) >> 24);
    }
    return sum;
}

/* The bits under a window, one after the other. */
static void gather(const ek_bin_conv2d_params *p, int32_t top, int32_t left, const uint32_t *x,
                   uint32_t *bits)
{
    const ek_window *w = &p->window;
    const int32_t words = (w->in_c + EK_BIN_LANES - 1) / EK_BIN_LANES;
    ek_bin_writer out = {bits, 0, 0};
    for (int32_t i = 0; i < w->kernel_h; i++) {
        const int32_t row = top + i * w->dilation_h;
        for (int32_t j = 0; j < w->kernel_w; j++) {
            const int32_t column = left + j * w->dilation_w;
            const int inside = row >= 0 && row < w->in_h && column >= 0 && column < w->in_w;
            const uint32_t *cell = &x[inside ? (row * w->in_w + column) * words : 0];
            if (inside) {
                ek_bin_append_all(&out, cell, w->in_c);
            } else {
                ek_bin_fill(&out, (uint32_t)p->padding, w->in_c);
            }
        }
    }
    ek_bin_flush(&out);
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
    const int32_t *rows; /* weights of the channels that are in no counted word */
    uint32_t *bits;
    uint32_t *parities;
    ek_bin_t *planes;
    ek_bin_t *list;
} work;

/* Fills the planes with the counts of a word of channels, and returns the weights of the next. */
static const int32_t *count_word(const ek_bin_conv2d_params *p, const work *k, const int32_t *w,
                                 const int32_t *start)
{
    for (int32_t i = 0; i < p->planes; i++) {
        k->planes[i] = start != 0 ? (ek_bin_t)start[i] : 0;
    }
    count(w, k->parities, k->depth, k->planes, p->planes, k->list);
    return &w[(k->depth + 1) / 2 * 2];
}

static void bits_of(const ek_bin_conv2d_params *p, const work *k, const int32_t *start, uint32_t *y)
{
    const int32_t *w = p->weights;
    for (int32_t i = 0; i < p->words; i++) {
        w = count_word(p, k, w, start);
        start += p->planes;
        *y++ = k->planes[p->planes - 1];
    }
    uint32_t last = 0;
    const int32_t rest = p->out_c - p->words * EK_BIN_LANES;
    for (int32_t i = 0; i < rest; i++) {
        const int32_t sum = 2 * equal_bits(k->bits, &k->rows[i * k->length], k->length);
        last |= (sum + start[i] >= 0 ? 1U : 0U) << i;
    }
    if (rest > 0) {
        *y = last;
    }
}

static void sums_of(const ek_bin_conv2d_params *p, const work *k, const int32_t *start, int8_t *y)
{
    const int32_t *w = p->weights;
    const int32_t counted = p->words * EK_BIN_LANES;
    for (int32_t c = 0; c < counted; c++) {
        if (c % EK_BIN_LANES == 0) {
            w = count_word(p, k, w, 0);
        }
        const int32_t equal = ek_bin_lane(k->planes, p->planes, c % EK_BIN_LANES);
        ek_bin_put(&p->result, c, 2 * equal + start[c], y);
    }
    for (int32_t c = counted; c < p->out_c; c++) {
        const int32_t *row = &k->rows[(c - counted) * k->length];
        ek_bin_put(&p->result, c, 2 * equal_bits(k->bits, row, k->length) + start[c], y);
    }
}

void ek_bin_conv2d(const ek_bin_conv2d_params *p, int32_t *scratch, const int8_t *x, int8_t *y)
{
    const ek_window *w = &p->window;
    const int32_t rest = p->out_c - p->words * EK_BIN_LANES;
    const int32_t size = p->to_bits != 0 ? p->words * p->planes + rest : p->out_c;
    const int32_t pixel_bytes = p->to_bits != 0
                                    ? (p->out_c + EK_BIN_LANES - 1) / EK_BIN_LANES * 4
                                    : p->out_c * (p->result.levels > 0 ? 1 : p->result.bytes);
    work k;
    k.depth = w->kernel_h * w->kernel_w * w->in_c;
    k.length = (k.depth + EK_BIN_LANES - 1) / EK_BIN_LANES;
    k.rows = &p->weights[p->words * ((k.depth + 1) / 2 * 2)];
    k.planes = (ek_bin_t *)(void *)scratch;
    k.bits = (uint32_t *)(void *)&scratch[p->planes];
    k.parities = &k.bits[k.length];
    k.list = (ek_bin_t *)(void *)&k.parities[k.length];
    for (int32_t row = 0; row < w->out_h; row++) {
        const int32_t row_class = p->classes[row] * p->column_classes;
        for (int32_t column = 0; column < w->out_w; column++) {
            const int32_t *start = &p->starts[(row_class + p->classes[w->out_h + column]) * size];
            gather(p, row * w->stride_h - w->pad_top, column * w->stride_w - w->pad_left,
                   (const uint32_t *)(const void *)x, k.bits);
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
